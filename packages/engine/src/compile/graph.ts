import { AppError } from "@whittle/contracts";
import { tf } from "../tf.ts";
import type { NativeBackend, TensorMetadata } from "../runtime/native.ts";
import { emit, type EmitOptions, type Emitted } from "./emit.ts";
import { KeptVariables } from "./kept-variables.ts";
import type { Node, Output, Program, TracedOptimizer } from "./program.ts";
import { entry, GraphSession, type Entry } from "./session.ts";
import { stateEntries } from "./state-nodes.ts";
import { mapTensors } from "./structure.ts";
import { configOf } from "./trace.ts";
import { handleOf } from "./variables.ts";

/** A program that runs as one call of the native library. */
export class Graph {
  /** Set until the function was traced a second time and found to do the same. */
  unverified: Program | undefined;

  readonly #backend: NativeBackend;
  readonly #session: GraphSession;
  readonly #emitted: Omit<Emitted, "nodes">;
  readonly #step: Entry;
  readonly #kept: KeptVariables;
  readonly #outputs: Output[];
  readonly #result: unknown;
  readonly #optimizers: TracedOptimizer[];
  /** Which tfjs function each node came from, for messages. */
  readonly #origins: string[];

  constructor(backend: NativeBackend, program: Program, options: EmitOptions) {
    const values = program.outputs.flatMap((output) => (output.is === "value" ? [output.value] : []));
    const { nodes, ...emitted } = emit(program, values, options);
    const names = emitted.feeds.map(({ name }) => name);
    this.#backend = backend;
    this.#session = new GraphSession(backend.binding, nodes);
    this.#step = entry(
      emitted.usesStep ? [...names, "step"] : names,
      emitted.fetches,
      program.updates.length > 0 ? stateEntries.updated : undefined,
    );
    this.#emitted = emitted;
    this.#kept = new KeptVariables(
      backend,
      this.#session,
      program.updates.map(({ variable }) => variable),
    );
    this.#outputs = program.outputs;
    this.#result = program.result;
    this.#optimizers = program.optimizers;
    this.#origins = program.nodes.map(originOf);
  }

  /** Whether all that the graph relies on is still there and as it was. */
  isValid(): boolean {
    return (
      this.#optimizers.every(({ optimizer, config }) => configOf(optimizer) === config) &&
      this.#kept.exist() &&
      this.#emitted.feeds.every(({ source }) => {
        if (source.from === "variable") return !source.variable.isDisposed;
        if (source.from === "argument") return true;
        return this.#backend.tensorMap.has(source.dataId) && !this.#kept.own(source.dataId);
      })
    );
  }

  /**
   * Runs the graph, which changes the variables.
   * @throws AppError `internal` when TensorFlow refuses; nothing has changed then.
   */
  run(tensors: tf.Tensor[], step: number): unknown {
    this.#kept.take();
    const made = this.#fetch(tensors, step);
    for (const { optimizer } of this.#optimizers) advance(optimizer);
    return this.#rebuild(tensors, made);
  }

  /** Gives the variables their values back. */
  close(): void {
    this.#kept.giveBack();
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
      return this.#session.run(this.#step, stepHandle === undefined ? handles : [...handles, stepHandle]);
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
