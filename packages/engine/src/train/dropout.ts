import { AppError } from "@whittle/contracts";
import { tf } from "../tf.ts";
import { stream, uniform } from "./stateless.ts";

/** Layers of tfjs that draw random numbers which a seed does not fix from step to step. */
const unseeded = new Set(["GaussianNoise", "GaussianDropout", "AlphaDropout", "SpatialDropout1D"]);

/** Dropout whose masks follow from a seed, while it is in place. */
export interface SeededDropout {
  /** Sets the seed of the masks that are drawn next: int32 [2]. Each layer draws a stream of its own from it. */
  seed(value: tf.Tensor1D): void;
  /** Gives the layers their own behaviour back. */
  dispose(): void;
}

/**
 * Makes the dropout layers of a model draw their masks from a seed tensor. tfjs' own layer draws them in JavaScript: from Math.random,
 * or, where the layer has a seed, the same mask at every step.
 * @throws AppError `unsupported` for a layer that draws random numbers otherwise.
 */
export function seedDropout(model: tf.LayersModel): SeededDropout {
  let current: tf.Tensor1D | undefined;
  const layers = flatten(model.layers).filter(isDropout);
  for (const [index, layer] of layers.entries()) {
    layer.call = (inputs, kwargs) => {
      const x = Array.isArray(inputs) ? inputs[0] : inputs;
      if (!x || !kwargs["training"] || !current) return inputs;
      return dropout(x, layer.rate, maskShape(x, layer.noiseShape), stream(current, index));
    };
  }
  return {
    seed: (value) => (current = value),
    dispose: () => {
      for (const layer of layers) Reflect.deleteProperty(layer, "call");
    },
  };
}

/** Zeroes elements of x with probability `rate` and scales the others by 1 / (1 - rate), so that the mean stays (JMLR 15:1929, 2014). */
function dropout(x: tf.Tensor, rate: number, shape: number[], seed: tf.Tensor): tf.Tensor {
  const keep = 1 - rate;
  const mask = tf.floor(tf.add(uniform(shape, seed), keep));
  return tf.mul(x, tf.div(mask, keep));
}

interface DropoutLayer extends tf.layers.Layer {
  rate: number;
  noiseShape?: (number | null)[] | null;
}

function isDropout(layer: tf.layers.Layer): layer is DropoutLayer {
  const name = layer.getClassName();
  const config = layer.getConfig();
  if (unseeded.has(name) || Number(config["dropout"] ?? 0) > 0 || Number(config["recurrentDropout"] ?? 0) > 0) {
    throw new AppError(
      "unsupported",
      `The layer "${layer.name}" (${name}) draws random numbers that a seed can't fix: use Dropout layers instead`,
    );
  }
  return name === "Dropout" && "rate" in layer && Number(layer.rate) > 0;
}

function maskShape(x: tf.Tensor, noiseShape: DropoutLayer["noiseShape"]): number[] {
  return x.shape.map((size, axis) => noiseShape?.[axis] ?? size);
}

/** All layers, those of models inside the model included. */
function flatten(layers: tf.layers.Layer[]): tf.layers.Layer[] {
  return layers.flatMap((layer) => (layer instanceof tf.LayersModel ? flatten(layer.layers) : [layer]));
}
