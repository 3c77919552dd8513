import { tf } from "@whittle/engine";
import { defineBuild, type BuildShape } from "../../build.ts";
import { apply, logitsOf } from "../../layers.ts";
import { sequenceInput } from "../../sequence/input.ts";
import { family } from "./contract.ts";

/** [embedding] -> (convolution -> ReLU -> maximum over the steps) for each width -> side by side -> [dropout] -> logits. */
export const build = defineBuild(family, ({ embedding, kernels, filters, dropout }, shape) => {
  const { input, steps } = sequenceInput(embedding, shape);
  const branches = kernels.map((kernelSize, index) => branch(steps, { number: index + 1, kernelSize, filters }, shape));
  const [first = steps] = branches;
  const features = branches.length === 1 ? first : apply(tf.layers.concatenate({ name: "features" }), ...branches);
  return tf.model({ name: family.name, inputs: input, outputs: logitsOf(features, dropout, shape) });
});

interface Branch {
  number: number;
  kernelSize: number;
  filters: number;
}

function branch(steps: tf.SymbolicTensor, { number, kernelSize, filters }: Branch, { seeds }: BuildShape) {
  const convolution = tf.layers.conv1d({
    name: `conv${number}`,
    filters,
    kernelSize,
    padding: "same",
    activation: "relu",
    kernelInitializer: tf.initializers.heNormal({ seed: seeds() }),
  });
  return apply(tf.layers.globalMaxPooling1d({ name: `max${number}` }), apply(convolution, steps));
}
