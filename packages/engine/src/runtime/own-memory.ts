import type { NativeBackend, NativeBinding } from "./native.ts";

/**
 * Has TensorFlow copy all numbers it is given. By itself tfjs-node lends it the memory of a typed array that happens to begin at a multiple
 * of 64 bytes, and lets go of the array on whichever thread is the last to need the tensor. Only JavaScript's thread may do that, and
 * a session drops the values of its variables on others: the process would crash, then or later.
 */
export function ownMemory(backend: NativeBackend): void {
  const { binding } = backend;
  const createTensor: NativeBinding["createTensor"] = (shape, dtype, values) =>
    binding.createTensor(shape, dtype, misplaced(values));
  backend.binding = Object.create(binding, { createTensor: { value: createTensor } });
}

/** Memory begins at a multiple of 8 bytes at least, so that what follows this many is never at one of 64. */
const offset = 4;

/** The same numbers where TensorFlow can't use them in place, and so copies them at once. */
function misplaced(values: ArrayLike<unknown>): ArrayLike<unknown> {
  const Kind = [Float32Array, Int32Array, Uint8Array].find((kind) => values instanceof kind);
  if (!Kind || !ArrayBuffer.isView(values)) return values;
  const memory = new ArrayBuffer(offset + values.byteLength);
  new Uint8Array(memory, offset).set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  return new Kind(memory, offset, values.length);
}
