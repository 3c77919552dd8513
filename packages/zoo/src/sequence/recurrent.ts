import { tf } from "@whittle/engine";
import type { z } from "zod";
import { defineBuild, type Build } from "../build.ts";
import type { ModelFamily } from "../contracts.ts";
import { apply, logitsOf } from "../layers.ts";
import { sequenceInput } from "./input.ts";
import type { recurrentParams } from "./params.ts";

/** What the recurrent layers of tfjs are configured by alike. */
type RecurrentArgs = Parameters<typeof tf.layers.gru>[0];

/**
 * [embedding] -> recurrent layers, of which the last gives its state after the last step -> [dropout] -> logits. Recurrent weights begin
 * uniform in +-1/sqrt(units), as PyTorch's do: tfjs draws orthogonal ones by a slow decomposition.
 */
export function defineRecurrent(
  family: ModelFamily<typeof recurrentParams>,
  makeLayer: (args: RecurrentArgs) => tf.layers.Layer,
): Build {
  return defineBuild(family, ({ embedding, units, dropout }: z.output<typeof recurrentParams>, shape) => {
    const { input, steps } = sequenceInput(embedding, shape);
    let value = steps;
    for (const [index, width] of units.entries()) {
      const bound = 1 / Math.sqrt(width);
      const layer = makeLayer({
        name: `${family.name}${index + 1}`,
        units: width,
        recurrentActivation: "sigmoid",
        kernelInitializer: tf.initializers.glorotUniform({ seed: shape.seeds() }),
        recurrentInitializer: tf.initializers.randomUniform({ minval: -bound, maxval: bound, seed: shape.seeds() }),
        returnSequences: index < units.length - 1,
      });
      value = apply(layer, value);
    }
    return tf.model({ name: family.name, inputs: input, outputs: logitsOf(value, dropout, shape) });
  });
}
