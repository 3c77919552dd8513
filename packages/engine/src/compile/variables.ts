import { tf } from "../tf.ts";
import type { NativeBackend } from "../runtime/native.ts";

/** Every variable that now exists. */
export function allVariables(): tf.Variable[] {
  return Object.values(tf.engine().state.registeredVariables);
}

/** The native handle of a tensor, which is made if its values are still in JavaScript. */
export function handleOf(backend: NativeBackend, tensor: tf.TensorInfo): number {
  const [id = -1] = backend.getInputTensorIds([tensor]);
  return id;
}

/** A tensor with the same values behind a handle of its own. The values are shared, not copied. */
export function aliasOf(backend: NativeBackend, tensor: tf.Tensor): tf.Tensor {
  const { dtype } = backend.tensorMap.get(tensor.dataId);
  const attrs = [{ name: "T", type: backend.binding.TF_ATTR_TYPE, value: dtype }];
  const [metadata] = backend.binding.executeOp("Identity", attrs, [handleOf(backend, tensor)], 1);
  if (!metadata) throw new Error("Identity gave nothing");
  return backend.createOutputTensor(metadata);
}

/** Gives each variable a handle that nothing else has, so that a handle says which variable it came from. */
export function separate(backend: NativeBackend, variables: tf.Variable[]): void {
  for (const variable of variables) {
    if (backend.tensorMap.get(variable.dataId).refCount > 1) tf.tidy(() => variable.assign(aliasOf(backend, variable)));
  }
}

/** Remembers values, so that they can be put back. */
export class Snapshot {
  readonly #saved: { variable: tf.Variable; value: tf.Tensor }[];

  constructor(variables: tf.Variable[]) {
    this.#saved = variables.map((variable) => ({ variable, value: tf.keep(variable.clone()) }));
  }

  /** Puts back every variable that was not disposed in between. */
  restore(): void {
    for (const { variable, value } of this.#saved) {
      if (!variable.isDisposed && variable.dataId !== value.dataId) variable.assign(value);
    }
  }

  dispose(): void {
    for (const { value } of this.#saved) value.dispose();
  }
}
