import { beforeAll, expect, it } from "vitest";
import { tf } from "../tf.ts";
import { initEngine } from "./init.ts";
import { nativeBackend } from "./native.ts";

beforeAll(async () => void (await initEngine()));

// Where an array lies can't be chosen; of 200 about a quarter lie where TensorFlow would use them in place.
it.each([
  { dtype: "float32", make: (): tf.TypedArray => Float32Array.from({ length: 40 }, (_, at) => at) },
  { dtype: "int32", make: (): tf.TypedArray => Int32Array.from({ length: 40 }, (_, at) => at) },
  { dtype: "bool", make: (): tf.TypedArray => Uint8Array.from({ length: 160 }, (_, at) => at % 2) },
] as const)("TensorFlow keeps no hold of arrays of $dtype", ({ dtype, make }) => {
  const arrays = Array.from({ length: 200 }, make);
  const tensors = arrays.map((values) => tf.tensor(values, [values.length], dtype));
  const backend = nativeBackend();
  backend?.getInputTensorIds(tensors);
  for (const values of arrays) values.fill(1);
  const expected = [...make()];
  for (const tensor of tensors) expect([...tensor.dataSync()]).toEqual(expected);
  tf.dispose(tensors);
});
