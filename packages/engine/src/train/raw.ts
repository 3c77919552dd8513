import { AppError } from "@whittle/contracts";
import { nativeBackend } from "../runtime/native.ts";
import { tf } from "../tf.ts";

/**
 * Samples as they are stored, one after the other in JavaScript's memory; the model sees value * scale + offset, in float32. They are
 * turned into that batch by batch, so that no copy of all of them is made.
 */
export interface RawSamples {
  values: Uint8Array | Float32Array;
  /** Of one sample. */
  shape: number[];
  scale: number;
  offset: number;
}

/** Inputs of a model: raw samples, or a float32 tensor [n, ...] as the model takes them, which stays the caller's. */
export type Inputs = tf.Tensor | RawSamples;

/** How many samples there are. */
export function countOf(x: Inputs): number {
  if (x instanceof tf.Tensor) return x.shape[0] ?? 0;
  return x.values.length / sizeOf(x);
}

/** The shape of one sample. */
export function shapeOf(x: Inputs): number[] {
  return x instanceof tf.Tensor ? x.shape.slice(1) : x.shape;
}

/** Samples that follow each other, as the model takes them. */
export function rows(x: Inputs, begin: number, count: number): tf.Tensor {
  if (x instanceof tf.Tensor) {
    const rest = x.shape.slice(1);
    return tf.slice(x, [begin, ...rest.map(() => 0)], [count, ...rest]);
  }
  const size = sizeOf(x);
  return tf.tidy(() =>
    asInputs(x, stored(x.values.subarray(begin * size, (begin + count) * size), [count, ...x.shape])),
  );
}

/** The samples at these places, as the model takes them. */
export function samplesAt(x: Inputs, places: Int32Array): tf.Tensor {
  return tf.tidy(() =>
    x instanceof tf.Tensor ? tf.gather(x, tf.tensor1d(places, "int32")) : asInputs(x, gatherStored(x, places)),
  );
}

/** The samples at these places, still as they are stored: a quarter of the bytes that the model sees, where they are bytes. */
export function gatherStored({ values, ...of }: RawSamples, places: Int32Array): tf.Tensor {
  const size = sizeOf(of);
  const length = places.length * size;
  const taken = values instanceof Uint8Array ? new Uint8Array(length) : new Float32Array(length);
  for (const [to, from] of places.entries()) taken.set(values.subarray(from * size, (from + 1) * size), to * size);
  return stored(taken, [places.length, ...of.shape]);
}

/** Stored values as the model takes them; may be part of a graph. */
export function asInputs({ scale, offset }: Pick<RawSamples, "scale" | "offset">, values: tf.Tensor): tf.Tensor {
  const floats = values.dtype === "float32" ? values : castStored(values);
  const scaled = scale === 1 ? floats : tf.mul(floats, scale);
  return offset === 0 ? scaled : tf.add(scaled, offset);
}

function sizeOf({ shape }: Pick<RawSamples, "shape">): number {
  return shape.reduce((size, length) => size * length, 1);
}

/** Bytes stay bytes in TensorFlow's memory, although tfjs, which has no type for them, calls them int32. */
function stored(values: RawSamples["values"], shape: number[]): tf.Tensor {
  const native = nativeBackend();
  if (values instanceof Float32Array) return tf.tensor(values, shape, "float32");
  if (!native) return tf.tensor(Int32Array.from(values), shape, "int32");
  const { binding } = native;
  const id = binding.createTensor(shape, binding.TF_UINT8, values);
  return native.createOutputTensor({ id, shape, dtype: binding.TF_UINT8 });
}

function castStored(values: tf.Tensor): tf.Tensor {
  const native = nativeBackend();
  if (!native) return tf.cast(values, "float32");
  const { binding } = native;
  const attrs = [
    { name: "SrcT", type: binding.TF_ATTR_TYPE, value: binding.TF_UINT8 },
    { name: "DstT", type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT },
    { name: "Truncate", type: binding.TF_ATTR_BOOL, value: false },
  ];
  const [output] = binding.executeOp("Cast", attrs, native.getInputTensorIds([values]), 1);
  if (!output) throw new AppError("internal", "Cast gave no output");
  return native.createOutputTensor(output);
}
