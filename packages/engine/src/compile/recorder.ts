import { AppError } from "@whittle/contracts";
import { tf } from "../tf.ts";
import type { NativeBackend, NativeBinding, NativeTensorData, OpAttr, TensorMetadata } from "../runtime/native.ts";
import { installFusions } from "./fusions/index.ts";
import { opEntry } from "./op-table.ts";
import { Patches } from "./patches.ts";
import type { Call, Draw, Feed, Node, Spec, Value } from "./program.ts";
import { drawScopes } from "./random.ts";

/** Kernels of tfjs-node that read one of their inputs only to check it; TensorFlow checks the same when the graph runs. */
const checkingKernels = ["GatherV2"];

/**
 * Watches everything that reaches the native library while it is installed, and keeps it as nodes. A native handle is never used
 * twice and never changes, so a handle names a value.
 */
export class Recorder {
  readonly nodes: Node[] = [];
  /** Data that came to be since the recorder was installed. */
  readonly created = new Map<object, NativeTensorData>();
  readonly optimizers = new Map<tf.Optimizer, number>();
  /** The first thing that can't be compiled; thrown where it happened and again at the end, in case that was caught. */
  error: AppError | undefined;

  readonly #backend: NativeBackend;
  readonly #values = new Map<number, Value>();
  readonly #draws = new Map<object, Omit<Draw, "outputs">>();
  readonly #patches = new Patches();
  readonly #random: () => number;
  readonly #mayFuse: boolean;
  #drawn: { scope: string; seed: number } | undefined;
  #checking = 0;

  /**
   * @param random stands in for Math.random() meanwhile.
   * @param mayFuse whether what tfjs composes may become single operations; XLA fuses by itself, and not across such ones.
   */
  constructor(backend: NativeBackend, random: () => number, mayFuse: boolean) {
    this.#backend = backend;
    this.#random = random;
    this.#mayFuse = mayFuse;
  }

  install(): void {
    const { tensorMap } = this.#backend;
    this.#patches.set(this.#backend, "binding", this.#recordingBinding());
    this.#patches.set(this.#backend, "getInputTensorIds", (tensors) => tensors.map((tensor) => this.#handle(tensor)));
    const set = tensorMap.set.bind(tensorMap);
    this.#patches.set(tensorMap, "set", (dataId, data) => this.#onData(dataId, data, set));
    const readSync = this.#backend.readSync.bind(this.#backend);
    this.#patches.set(this.#backend, "readSync", (dataId) => this.#onRead(dataId, readSync));
    this.#patches.set(Math, "random", () => this.#onRandom());
    this.#watchOptimizers();
    for (const name of checkingKernels) this.#allowReads(name);
    if (this.#mayFuse) installFusions(this.#patches);
  }

  remove(): void {
    this.#patches.restore();
  }

  /** Makes the data of `tensor` an input of the graph. */
  feed(tensor: tf.TensorInfo, source: Feed["source"]): void {
    this.#register(this.#materialise(this.#data(tensor)), source);
  }

  /** The value that a tensor has; what existed before and is not yet known becomes a captured input. */
  value(tensor: tf.TensorInfo): Value {
    return this.#valueOf(this.#handle(tensor));
  }

  /** Says that `outputs`, which have been computed from `inputs` in some way, can be had by one operation of the emitter's. */
  fuse(op: string, attrs: OpAttr[], inputs: tf.Tensor[], outputs: tf.Tensor[]): void {
    if (!this.#mayFuse) return;
    const values = inputs.map((input) => this.value(input));
    const specs = outputs.map(({ shape, dtype }) => ({ shape, dtype: this.#backend.getDTypeInteger(dtype) }));
    const varies = values.some(({ node }) => node.varies);
    const node: Call = { kind: "call", op, attrs, inputs: values, outputs: specs, varies, scope: scopeName() };
    this.#add(
      node,
      outputs.map((output) => this.#handle(output)),
    );
  }

  #register(data: NativeTensorData, source: Feed["source"]): void {
    const outputs: [Spec] = [{ shape: data.shape, dtype: data.dtype }];
    this.#add({ kind: "feed", source, outputs, varies: source.from !== "captured" }, [data.id]);
  }

  #add(node: Node, handles: number[]): void {
    this.nodes.push(node);
    for (const [output, handle] of handles.entries()) this.#values.set(handle, { node, output });
  }

  #data(tensor: tf.TensorInfo): NativeTensorData {
    return this.#backend.tensorMap.get(tensor.dataId);
  }

  #materialise(data: NativeTensorData): NativeTensorData {
    if (data.values !== null) {
      data.id = this.#backend.binding.createTensor(data.shape, data.dtype, data.values);
      data.values = null;
    }
    return data;
  }

  #handle(tensor: tf.TensorInfo): number {
    const data = this.#data(tensor);
    const { values } = data;
    this.#materialise(data);
    if (this.#values.has(data.id)) return data.id;
    if (!this.created.has(tensor.dataId)) this.#register(data, { from: "captured", dataId: tensor.dataId });
    else if (values !== null) this.#addMade(tensor.dataId, data, values);
    return data.id;
  }

  #addMade(dataId: object, data: NativeTensorData, values: ArrayLike<unknown>): void {
    const outputs: [Spec] = [{ shape: data.shape, dtype: data.dtype }];
    const draw = this.#draws.get(dataId);
    const node: Node = draw
      ? { ...draw, outputs }
      : { kind: "constant", values, outputs, varies: false, scope: scopeName() };
    this.#add(node, [data.id]);
  }

  #valueOf(handle: number): Value {
    const value = this.#values.get(handle);
    if (value) return value;
    throw this.#refuse("a tensor reached the native library in a way that compile does not see");
  }

  #recordingBinding(): NativeBinding {
    const { binding } = this.#backend;
    const executeOp: NativeBinding["executeOp"] = (op, attrs, inputs, count) => {
      this.#check(op);
      const outputs = binding.executeOp(op, attrs, inputs, count);
      this.#onCall(op, attrs, inputs, outputs);
      return outputs;
    };
    const runSavedModel = () => {
      throw this.#refuse("a SavedModel can't run inside a compiled function; call it outside and pass its result");
    };
    return Object.create(binding, { executeOp: { value: executeOp }, runSavedModel: { value: runSavedModel } });
  }

  #check(op: string): void {
    try {
      if (!opEntry(op).stateful || op === "Multinomial") return;
    } catch (error) {
      this.error ??= error instanceof AppError ? error : undefined;
      throw error;
    }
    throw this.#refuse(`the op ${op} keeps state between calls; call it outside and pass its result`);
  }

  #onCall(op: string, attrs: OpAttr[], inputs: number[], made: TensorMetadata[]): void {
    const values = inputs.map((handle) => this.#valueOf(handle));
    const varies = op === "Multinomial" || values.some(({ node }) => node.varies);
    const outputs = made.map(({ shape, dtype }) => ({ shape, dtype }));
    const node: Call = { kind: "call", op, attrs, inputs: values, outputs, varies, scope: scopeName() };
    this.#add(
      node,
      made.map(({ id }) => id),
    );
  }

  #onData(dataId: object, data: NativeTensorData, set: (dataId: object, data: NativeTensorData) => void): void {
    set(dataId, data);
    this.created.set(dataId, data);
    const scope = tf.engine().state.activeScope?.name ?? "";
    const distribution = drawScopes.get(scope);
    if (this.#drawn?.scope !== scope || distribution === undefined || data.values === null) return;
    const { seed } = this.#drawn;
    this.#drawn = undefined;
    const { values } = data;
    this.#draws.set(dataId, { kind: "draw", distribution, seed, values, scale: 1, offset: 0, varies: true, scope });
  }

  #onRandom(): number {
    const scope = tf.engine().state.activeScope?.name ?? "";
    const number = this.#random();
    if (scope === "multinomial__op") return number;
    if (!drawScopes.has(scope)) {
      throw this.#refuse(
        "Math.random() was called, and its number would be the same in every run; draw with tf.randomUniform, tf.randomNormal or " +
          "tf.truncatedNormal, or pass the number as a tensor",
      );
    }
    this.#drawn = { scope, seed: number };
    return number;
  }

  #onRead(dataId: object, readSync: NativeBackend["readSync"]): tf.backend_util.BackendValues {
    const data = this.#backend.tensorMap.get(dataId);
    const varies = this.#draws.has(dataId) || this.#values.get(data.id)?.node.varies === true;
    if (varies && this.#checking === 0) {
      throw this.#refuse(
        "a tensor's values were read (dataSync, arraySync, data, print), but they differ from run to run; return the tensor and " +
          "read it outside, or use tensor operations such as tf.where in place of the JavaScript condition",
      );
    }
    return readSync(dataId);
  }

  #watchOptimizers(): void {
    const { prototype } = tf.Optimizer;
    if (!advances(prototype)) return;
    const advance = prototype.incrementIterations;
    const { optimizers } = this;
    this.#patches.set(prototype, "incrementIterations", function watched(this: tf.Optimizer) {
      if (!optimizers.has(this)) optimizers.set(this, this.iterations);
      Reflect.apply(advance, this, []);
    });
  }

  #allowReads(kernelName: string): void {
    const kernel = tf.getKernel(kernelName, "tensorflow");
    const { kernelFunc } = kernel;
    this.#patches.set(kernel, "kernelFunc", (params) => {
      this.#checking++;
      try {
        return kernelFunc(params);
      } finally {
        this.#checking--;
      }
    });
  }

  #refuse(what: string): AppError {
    const error = new AppError("unsupported", `compile: in ${scopeName()}: ${what}`);
    this.error ??= error;
    return error;
  }
}

/** The method is protected in tfjs' types. */
function advances(prototype: object): prototype is { incrementIterations: () => void } {
  return "incrementIterations" in prototype;
}

/** The tfjs function that is running: `conv2d`, `gradients`. */
function scopeName(): string {
  const name = tf.engine().state.activeScope?.name;
  return name === undefined || name === "" ? "the compiled function" : name.replace(/__op$/, "");
}
