import { AppError } from "@whittle/contracts";
import { tf } from "../tf.ts";
import type { NativeBackend, TensorMetadata } from "../runtime/native.ts";
import { emit, type EmitOptions, type Emitted } from "./emit.ts";
import type { Node, Output, Program, TracedOptimizer } from "./program.ts";
import { GraphSession } from "./session.ts";
import { mapTensors } from "./structure.ts";
import { configOf } from "./trace.ts";
import { handleOf, setVariable } from "./variables.ts";

/** A program that runs as one call of the native library. */
export class Graph {
  /** Set until the function was traced a second time and found to do the same. */
  unverified: Program | undefined;

  readonly #backend: NativeBackend;
  readonly #session: GraphSession;
  readonly #emitted: Omit<Emitted, "nodes">;
  readonly #updated: tf.Variable[];
  readonly #outputs: Output[];
  readonly #result: unknown;
  readonly #optimizers: TracedOptimizer[];
  /** Which tfjs function each node came from, for messages. */
  readonly #origins: string[];

  constructor(backend: NativeBackend, program: Program, options: EmitOptions) {
    const values = program.outputs.flatMap((output) => (output.is === "value" ? [output.value] : []));
    const { nodes, ...emitted } = emit(program, [...program.updates.map(({ value }) => value), ...values], options);
    const names = emitted.feeds.map(({ name }) => name);
    this.#backend = backend;
    this.#session = new GraphSession(
      backend.binding,
      nodes,
      emitted.usesStep ? [...names, "step"] : names,
      emitted.fetches,
    );
    this.#emitted = emitted;
    this.#updated = program.updates.map(({ variable }) => variable);
    this.#outputs = program.outputs;
    this.#result = program.result;
    this.#optimizers = program.optimizers;
    this.#origins = program.nodes.map(originOf);
  }

  /** Whether all that the graph relies on is still there and as it was. */
  isValid(): boolean {
    return (
      this.#optimizers.every(({ optimizer, config }) => configOf(optimizer) === config) &&
      this.#updated.every((variable) => !variable.isDisposed) &&
      this.#emitted.feeds.every(({ source }) => {
        if (source.from === "variable") return !source.variable.isDisposed;
        return source.from === "argument" || this.#backend.tensorMap.has(source.dataId);
      })
    );
  }

  /**
   * Runs the graph and gives the variables their new values.
   * @throws AppError `internal` when TensorFlow refuses; nothing has changed then.
   */
  run(tensors: tf.Tensor[], step: number): unknown {
    const made = this.#fetch(tensors, step);
    for (const [at, variable] of this.#updated.entries()) setVariable(this.#backend, variable, itemAt(made, at));
    for (const { optimizer } of this.#optimizers) advance(optimizer);
    return this.#rebuild(tensors, made.slice(this.#updated.length));
  }

  close(): void {
    this.#session.close();
  }

  #fetch(tensors: tf.Tensor[], step: number): TensorMetadata[] {
    const { binding } = this.#backend;
    const handles = this.#emitted.feeds.map(({ source }) => {
      if (source.from === "variable") return handleOf(this.#backend, source.variable);
      if (source.from === "captured") return this.#backend.tensorMap.get(source.dataId).id;
      return handleOf(this.#backend, itemAt(tensors, source.index));
    });
    const stepHandle = this.#emitted.usesStep
      ? binding.createTensor([], binding.TF_INT32, Int32Array.of(step))
      : undefined;
    try {
      return this.#session.run(stepHandle === undefined ? handles : [...handles, stepHandle]);
    } catch (cause) {
      throw this.#explain(cause);
    } finally {
      if (stepHandle !== undefined) binding.deleteTensor(stepHandle);
    }
  }

  #rebuild(tensors: tf.Tensor[], made: TensorMetadata[]): unknown {
    let next = 0;
    let output = 0;
    return mapTensors(this.#result, () => {
      const described = itemAt(this.#outputs, output++);
      if (described.is === "argument") return itemAt(tensors, described.index);
      if (described.is === "same") return described.tensor;
      return this.#backend.createOutputTensor(itemAt(made, next++));
    });
  }

  #explain(cause: unknown): AppError {
    const message = cause instanceof Error ? cause.message : String(cause);
    const [, index, suffix] = /\{\{node n(\d+)\w*?(_shape\d)?\}\}/.exec(message) ?? [];
    const where = index === undefined ? "" : ` in ${this.#origins[Number(index)]}`;
    const hint = suffix
      ? "; its output's shape depends on values and is not the one that was traced: call it outside"
      : "";
    return new AppError("internal", `compile: the graph failed${where}${hint}: ${message}`, { cause });
  }
}

function originOf(node: Node): string {
  if (node.kind === "feed") return `an input (${node.source.from})`;
  return node.kind === "call" ? `${node.scope} (${node.op})` : node.scope;
}

function itemAt<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined) throw new RangeError(`no item ${index} among ${items.length}`);
  return item;
}

function advance(optimizer: tf.Optimizer): void {
  Reflect.set(optimizer, "iterations_", optimizer.iterations + 1);
}
