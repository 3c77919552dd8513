import { AppError } from "@whittle/contracts";
import { nativeBackend, type NativeBinding } from "../../runtime/native.ts";
import { tf } from "../../tf.ts";

type GradConfig = ReturnType<typeof tf.getGradient>;

/** An operation of TensorFlow's that tfjs does not call by itself. Its inputs and outputs are float32, but for `int64`. */
interface NativeOp {
  name: string;
  /** Names of its inputs, in order. */
  inputs: string[];
  outputs: number;
  /** Names of the attributes that are types. */
  types: string[];
  /** An input that is given as int32 and that the operation takes as int64. */
  int64?: string;
  /** Without it tfjs refuses to differentiate the operation. */
  gradient?: Omit<GradConfig, "kernelName">;
}

/**
 * Makes the operation known to tfjs.
 * @returns what calls it: tensors by the names of the inputs in, outputs out; numbers among the attributes are of the kind float.
 */
export function defineNativeOp({ name, inputs, outputs, types, int64, gradient }: NativeOp) {
  tf.registerKernel({
    kernelName: name,
    backendName: "tensorflow",
    kernelFunc: ({ inputs: given, attrs = {} }) => {
      const backend = nativeBackend();
      if (!backend) throw new AppError("internal", `${name} needs native TensorFlow`);
      const handles = backend.getInputTensorIds(inputs.map((input) => present(given[input])));
      const long = inputs.findIndex((input) => input === int64);
      if (long >= 0) handles[long] = castToInt64(backend.binding, present(handles[long]));
      const made = backend.binding.executeOp(name, opAttrs(backend.binding, types, attrs), handles, outputs);
      if (long >= 0) backend.binding.deleteTensor(present(handles[long]));
      return made.map((metadata) => backend.createOutputTensor(metadata));
    },
  });
  if (gradient) tf.registerGradient({ kernelName: name, ...gradient });
  return (given: Record<string, tf.Tensor>, attrs: Parameters<GradConfig["gradFunc"]>[2] = {}): tf.Tensor[] =>
    tf.engine().runKernel<tf.Tensor[]>(name, given, attrs);
}

function castToInt64(binding: NativeBinding, handle: number): number {
  const attrs = [
    { name: "SrcT", type: binding.TF_ATTR_TYPE, value: binding.TF_INT32 },
    { name: "DstT", type: binding.TF_ATTR_TYPE, value: binding.TF_INT64 },
    { name: "Truncate", type: binding.TF_ATTR_BOOL, value: false },
  ];
  return present(binding.executeOp("Cast", attrs, [handle], 1)[0]).id;
}

function opAttrs(binding: NativeBinding, types: string[], attrs: object) {
  const kinds = new Map([
    ["number", binding.TF_ATTR_FLOAT],
    ["boolean", binding.TF_ATTR_BOOL],
    ["string", binding.TF_ATTR_STRING],
  ]);
  const ofTypes = types.map((name) => ({ name, type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT }));
  const others = Object.entries(attrs).map(([name, value]: [string, unknown]) => ({
    name,
    type: present(kinds.get(typeof value)),
    value,
  }));
  return [...ofTypes, ...others];
}

/** For what is always there, which the types can't say. */
export function present<T>(value: T | undefined): T {
  if (value === undefined) throw new AppError("internal", "A value of a fused operation is missing");
  return value;
}
