import { beforeAll, expect, it } from "vitest";
import { tf } from "../tf.ts";
import { initEngine } from "./init.ts";
import { nativeBackend, nativeBinding, type NativeBinding } from "./native.ts";

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

// tfjs has no such types; its library takes an int64 as two int32, the lower half first.
it.each([
  { dtype: "UINT8", count: 160, make: (): tf.TypedArray => Uint8Array.from({ length: 160 }, (_, at) => at) },
  {
    dtype: "INT64",
    count: 40,
    make: (): tf.TypedArray => Int32Array.from({ length: 80 }, (_, at) => (at % 2 === 0 ? at / 2 : 0)),
  },
] as const)("TensorFlow keeps no hold of arrays that its library takes as $dtype", ({ dtype, count, make }) => {
  const binding = nativeBinding();
  if (!binding) throw new Error("there is no native TensorFlow");
  const type = binding[`TF_${dtype}`];
  const arrays = Array.from({ length: 200 }, make);
  const ids = arrays.map((values) => binding.createTensor([count], type, values));
  for (const values of arrays) values.fill(1);
  const expected = Array.from({ length: count }, (_, at) => at);
  for (const id of ids) expect(floatsOf(binding, id, type)).toEqual(expected);
  for (const id of ids) binding.deleteTensor(id);
});

/** The numbers of a tensor, which the library gives out in few types only. */
function floatsOf(binding: NativeBinding, id: number, type: number): number[] {
  const attrs = [
    { name: "SrcT", type: binding.TF_ATTR_TYPE, value: type },
    { name: "DstT", type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT },
    { name: "Truncate", type: binding.TF_ATTR_BOOL, value: false },
  ];
  const [floats] = binding.executeOp("Cast", attrs, [id], 1);
  const values = floats ? binding.tensorDataSync(floats.id) : [];
  if (floats) binding.deleteTensor(floats.id);
  return Array.from(values, Number);
}
