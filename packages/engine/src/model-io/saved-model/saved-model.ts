import { AppError, type Signature } from "@whittle/contracts";
import { emit } from "../../compile/emit.ts";
import { savedModel, type NamedTensor } from "../../compile/graph-writer.ts";
import { spec, type Feed, type Output, type Spec, type Value } from "../../compile/program.ts";
import { trace } from "../../compile/trace.ts";
import { nativeBackend, type NativeBackend } from "../../runtime/native.ts";
import { tf } from "../../tf.ts";
import { freeBatch, type Recording } from "./free-batch.ts";

/** The numbers of samples that a model is recorded with. */
const batches = [5, 7] as const;

/**
 * A model's inference (dropout off, batch normalization by its moving statistics) as a TensorFlow SavedModel: the bytes of
 * `saved_model.pb`, a frozen graph that has the weights as constants, so that a folder with this file alone is the whole model. It takes
 * any number of samples, under the tag `serve` by the signature `serving_default`, whose inputs and outputs are named as `signature`
 * names the model's.
 * @throws AppError `unsupported` where TensorFlow isn't the backend and, naming the operation, for a model that computes otherwise for
 * another number of samples; `invalid_request` for a signature with fewer inputs or outputs than the model.
 */
export function saveSavedModel(model: tf.LayersModel, signature: Signature): Uint8Array {
  const backend = nativeBackend();
  if (!backend) throw new AppError("unsupported", `A SavedModel needs TensorFlow; the backend is ${tf.getBackend()}`);
  const [first, second] = [record(backend, model, batches[0]), record(backend, model, batches[1])];
  const { program, outputs } = freeBatch(first, second, (source) => valuesOf(backend, source));
  const { nodes, feeds, fetches } = emit(program, outputs, { xla: false, seed: 0 });
  return savedModel(nodes, {
    tensorflowVersion: backend.binding.TF_Version,
    inputs: feeds.map((feed) => named(signature, "inputs", indexOf(feed), `${feed.name}:0`, feed.spec)),
    outputs: outputs.map((output, at) => named(signature, "outputs", at, fetches[at] ?? "", spec(output))),
  });
}

function record(backend: NativeBackend, model: tf.LayersModel, batch: number): Recording {
  const inputs = model.inputs.map(({ shape, dtype }) => tf.zeros([batch, ...fixedSizes(shape)], dtype));
  const fn = (...x: tf.Tensor[]) => model.apply(x, { training: false });
  try {
    const request = { backend, fn, args: inputs, tensors: inputs, random: Math.random };
    const traced = trace({ ...request, mayFuse: true, mayInitialise: false });
    if (!("program" in traced)) throw new AppError("internal", "A model's inference made variables");
    return { program: traced.program, outputs: traced.program.outputs.map(valueOf), batch };
  } finally {
    tf.dispose(inputs);
  }
}

function fixedSizes(shape: tf.Shape): number[] {
  return shape.slice(1).map((size) => {
    if (size !== null) return size;
    throw new AppError("unsupported", `A SavedModel needs inputs of fixed sizes, not [${shape.slice(1).join(", ")}]`);
  });
}

function valueOf(output: Output): Value {
  if (output.is === "value") return output.value;
  throw new AppError("unsupported", "A SavedModel of a model that gives its input back can't be written");
}

function valuesOf(backend: NativeBackend, source: Feed["source"]): ArrayLike<unknown> {
  if (source.from === "variable") return source.variable.dataSync();
  if (source.from === "captured") return backend.readSync(source.dataId);
  throw new AppError("internal", "An argument has no values");
}

function indexOf({ source }: Pick<Feed, "source">): number {
  return source.from === "argument" ? source.index : -1;
}

function named(
  signature: Signature,
  what: "inputs" | "outputs",
  at: number,
  tensor: string,
  { shape, dtype }: Spec,
): NamedTensor {
  const name = signature[what][at]?.name;
  if (name !== undefined) return { name, tensor, dtype, shape: [-1, ...shape.slice(1)] };
  const message = `has ${signature[what].length}, the model has more`;
  throw new AppError("invalid_request", `signature.${what} ${message}`, {
    issues: [{ path: `signature.${what}`, message }],
  });
}
