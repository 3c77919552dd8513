import { tf } from "@whittle/engine";
import { buildModel } from "@whittle/zoo";

/** Of the models below. */
export const inputShape = [8, 8, 1];

const families: [name: string, params: Record<string, unknown>][] = [
  ["cnn", { filters: [4], batchNorm: true, dense: 16 }],
  ["resnet", { filters: 4 }],
  ["mobilenet", { stages: [{ expansion: 2, filters: 8, blocks: 2, stride: 2 }], features: 16 }],
  ["transformer", { width: 8, heads: 2, hidden: 8, blocks: 1, activation: "gelu", patch: 2 }],
];

/** Models of three classes with statistics of their batch normalizations as after training, and samples. */
export const normalizedModels = families.map(([name, params]) => ({ name, build: () => build(name, params) }));

function build(name: string, params: Record<string, unknown>): { model: tf.LayersModel; x: tf.Tensor } {
  const model = buildModel(name, params, { inputShape, classes: 3, seed: 1 });
  for (const [at, layer] of model.layers.entries()) {
    if (layer.getClassName() !== "BatchNormalization") continue;
    const draw = ({ shape }: tf.Tensor, which: number) => tf.randomUniform(shape, 0.5, 1.5, "float32", 9 * at + which);
    layer.setWeights(layer.getWeights().map(draw));
  }
  return { model, x: tf.randomUniform([64, ...inputShape], 0, 1, "float32", 3) };
}

/** The mean absolute difference. */
export function meanDifference(a: tf.Tensor, b: tf.Tensor): number {
  return tf.tidy(() => a.sub(b).abs().mean().dataSync()[0] ?? Number.NaN);
}
