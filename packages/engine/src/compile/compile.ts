import { AppError } from "@whittle/contracts";
import { mixSeed } from "../train/random.ts";
import { tf } from "../tf.ts";
import { nativeBackend, type NativeBackend } from "../runtime/native.ts";
import { compare } from "./compare.ts";
import { Graph } from "./graph.ts";
import type { Program } from "./program.ts";
import { seededRandom } from "./random.ts";
import { describe } from "./structure.ts";
import { callInTidy, isTracing, trace } from "./trace.ts";

export interface CompileOptions<L extends Record<string, number>> {
  /**
   * Numbers that change from call to call, such as a learning rate. They are read at each call and given to the function as its last
   * argument, as scalar tensors of the same names. Any other number is a constant of the graph.
   */
  live?: () => L;
  /** Lets XLA compile the graph: faster for dense and recurrent models, slower for convolutions; the first run takes longer. */
  xla?: boolean;
  /** Multiplies matrices in bfloat16 (mixed precision, 1905.12322): inputs are rounded to 8 significant bits, sums are float32. For where `multipliesBfloat16`. */
  mixed?: boolean;
  /** Traces a second time and refuses a function that does not do the same again. On by default. */
  verify?: boolean;
  /** How many graphs (one for each combination of shapes and JavaScript arguments) may be made before the function is refused. */
  maxGraphs?: number;
  /** Makes the random numbers that the function draws repeatable: they follow from the seed and the number of the call. */
  seed?: number;
}

export type LiveTensors<L> = { [K in keyof L]: tf.Scalar };

export interface Compiled<A extends unknown[], R> {
  (...args: A): R;
  /** Calls so far; random numbers follow from it. Set it to go on where another process stopped. */
  calls: number;
  /** Graphs in use; 0 means that all calls so far ran eagerly. */
  readonly graphs: number;
  /** Frees the graphs. The function can still be called and is then traced anew. */
  dispose(): void;
}

/**
 * Makes a function of tensors run as one TensorFlow graph. The function may do a whole training step: layers, loss, gradients,
 * optimizer. It is run and recorded at its first call (once more if that call makes variables, such as an optimizer's), and then at
 * most once more to see that it does the same; every call gives the results of one real step. What is computed in JavaScript is fixed
 * when it is recorded: arguments that are not tensors are part of the graph, and other numbers must not change, see `live`.
 * On a backend that isn't native TensorFlow the function just runs, which is said once.
 * @throws AppError `unsupported` for what a graph can't do, naming the op and what to do instead; variables stay as they were.
 */
export function compile<A extends unknown[], R>(
  fn: (...args: A) => R,
  options?: CompileOptions<never> & { live?: undefined },
): Compiled<A, R>;
export function compile<A extends unknown[], R, L extends Record<string, number>>(
  fn: (...args: [...A, LiveTensors<L>]) => R,
  options: CompileOptions<L> & { live: () => L },
): Compiled<A, R>;
export function compile(
  fn: (...args: never[]) => unknown,
  options: CompileOptions<Record<string, number>> = {},
): Compiled<never[], unknown> {
  const compiler = new Compiler((...args) => Reflect.apply(fn, undefined, args), options);
  const dispose = () => compiler.dispose();
  const compiled = Object.assign((...args: unknown[]) => compiler.call(args), { calls: 0, graphs: 0, dispose });
  Object.defineProperty(compiled, "graphs", { get: () => compiler.graphs.size });
  return Object.defineProperty(compiled, "calls", {
    get: () => compiler.calls,
    set(calls: number) {
      compiler.calls = calls;
    },
  });
}

let saidEager = false;

class Compiler {
  calls = 0;
  readonly graphs = new Map<string, Graph>();
  readonly #fn: (...args: unknown[]) => unknown;
  readonly #options: CompileOptions<Record<string, number>>;
  readonly #seed: number;
  #built = 0;
  #initialised = false;

  constructor(fn: (...args: unknown[]) => unknown, options: CompileOptions<Record<string, number>>) {
    this.#fn = fn;
    this.#options = options;
    this.#seed = options.seed ?? Math.trunc(Math.random() * 2 ** 31);
  }

  call(args: unknown[]): unknown {
    const { live } = this.#options;
    if (!live) return this.#run(args);
    const scalars = Object.fromEntries(Object.entries(live()).map(([name, value]) => [name, tf.scalar(value)]));
    try {
      return this.#run([...args, scalars]);
    } finally {
      tf.dispose(scalars);
    }
  }

  dispose(): void {
    for (const graph of this.graphs.values()) graph.close();
    this.graphs.clear();
  }

  #run(args: unknown[]): unknown {
    // A graph can't be differentiated or traced from outside; the plain function can.
    if (isTracing() || tf.engine().isTapeOn()) return this.#fn(...args);
    const backend = nativeBackend();
    const result = backend ? this.#runNative(backend, args) : this.#runEagerly(args);
    this.calls++;
    return result;
  }

  #runEagerly(args: unknown[]): unknown {
    if (!saidEager) {
      saidEager = true;
      console.warn(
        `compile: the ${tf.getBackend()} backend has no graphs; compiled functions run eagerly, several times slower`,
      );
    }
    return callInTidy(this.#fn, args);
  }

  #runNative(backend: NativeBackend, args: unknown[]): unknown {
    const { key, tensors } = describe(args);
    const known = this.#valid(key);
    if (known && !known.unverified) return known.run(tensors, this.calls);
    const traced = trace({
      backend,
      fn: this.#fn,
      args,
      tensors,
      random: this.#options.seed === undefined ? Math.random : seededRandom(mixSeed(this.#seed, this.calls)),
      mayFuse: this.#options.xla !== true,
      mayInitialise: !this.#initialised,
    });
    this.#initialised = true;
    if ("result" in traced) return traced.result;
    const graph = known ? verified(known, traced.program) : this.#build(backend, key, traced.program);
    return graph.run(tensors, this.calls);
  }

  #valid(key: string): Graph | undefined {
    const graph = this.graphs.get(key);
    if (!graph || graph.isValid()) return graph;
    graph.close();
    this.graphs.delete(key);
    return undefined;
  }

  #build(backend: NativeBackend, key: string, program: Program): Graph {
    const { maxGraphs = 32, xla = false, mixed = false } = this.#options;
    if (this.#built >= maxGraphs) {
      throw new AppError(
        "unsupported",
        `compile: this function has needed ${maxGraphs} graphs already, now one for ${key}; give it batches of the same shape, numbers ` +
          "that change as tensors or through `live`, don't replace captured tensors, or raise maxGraphs",
      );
    }
    const graph = new Graph(backend, program, { xla, mixed, seed: this.#seed });
    if (this.#options.verify !== false) graph.unverified = program;
    this.#built++;
    this.graphs.set(key, graph);
    return graph;
  }
}

function verified(graph: Graph, again: Program): Graph {
  if (graph.unverified) compare(graph.unverified, again);
  graph.unverified = undefined;
  return graph;
}
