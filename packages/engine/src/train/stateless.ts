import { AppError } from "@whittle/contracts";
import { nativeBackend } from "../runtime/native.ts";
import { tf } from "../tf.ts";
import { mixSeed } from "./random.ts";

/** TensorFlow's numbers for an attribute that is a type, and for float and int32. */
const [typeAttribute, float, int32] = [4, 1, 3];

const attributes = [
  { name: "dtype", type: typeAttribute, value: float },
  { name: "T", type: typeAttribute, value: int32 },
  { name: "Tseed", type: typeAttribute, value: int32 },
];

/**
 * One of many streams of random numbers that follow from one int32 [2] seed. Dropout layers take the streams from 0 on, augmentation
 * those below.
 */
export function stream(seed: tf.Tensor1D, index: number): tf.Tensor {
  return tf.add(seed, tf.tensor1d([index, 0], "int32"));
}

/** Numbers in [0, 1) that follow from an int32 [2] seed alone. */
export function uniform(shape: number[], seed: tf.Tensor): tf.Tensor {
  return draw("StatelessRandomUniform", shape, seed) ?? tf.randomUniform(shape, 0, 1, "float32", numberOf(seed));
}

/** Standard normal numbers that follow from an int32 [2] seed alone. */
export function normal(shape: number[], seed: tf.Tensor): tf.Tensor {
  return draw("StatelessRandomNormal", shape, seed) ?? tf.randomNormal(shape, 0, 1, "float32", numberOf(seed));
}

function draw(op: string, shape: number[], seed: tf.Tensor): tf.Tensor | undefined {
  const native = nativeBackend();
  if (!native) return undefined;
  const inputs = native.getInputTensorIds([tf.tensor1d(shape, "int32"), seed]);
  const [output] = native.binding.executeOp(op, attributes, inputs, 1);
  if (!output) throw new AppError("internal", `${op} gave no output`);
  return native.createOutputTensor(output);
}

function numberOf(seed: tf.Tensor): number {
  return mixSeed(...seed.dataSync());
}
