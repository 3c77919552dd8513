import type { tf } from "../tf.ts";
import type { NativeBackend, NativeTensorData } from "../runtime/native.ts";
import { entry, type Entry, type GraphSession } from "./session.ts";
import { stateEntries } from "./state-nodes.ts";
import { handleOf } from "./variables.ts";

/**
 * Variables whose values are in a graph's session between its runs, so that a run neither takes them in nor gives them out. At any time all
 * values are either there or with the variables, never in both places: whoever looks at one of them, whether TensorFlow.js, another
 * graph or the code that disposes it, has all of them given back first.
 */
export class KeptVariables {
  readonly #backend: NativeBackend;
  readonly #session: GraphSession;
  readonly #variables: tf.Variable[];
  readonly #write: Entry;
  readonly #taken: Entry;
  /** The variables' data while the session has the values. */
  #lent: NativeTensorData[] = [];

  constructor(backend: NativeBackend, session: GraphSession, variables: tf.Variable[]) {
    const { write, take } = stateEntries;
    this.#backend = backend;
    this.#session = session;
    this.#variables = variables;
    this.#write = entry(
      variables.map((_, at) => write.input(at)),
      [],
      write.done,
    );
    this.#taken = entry(
      [],
      variables.map((_, at) => take.output(at)),
      take.done,
    );
  }

  exist(): boolean {
    return this.#variables.every((variable) => !variable.isDisposed);
  }

  /** Whether these data are one of the variables' and nothing else's, so that they have no handle during a run. */
  own(dataId: object): boolean {
    return (
      this.#variables.some((variable) => variable.dataId === dataId) &&
      this.#backend.tensorMap.get(dataId).refCount === 1
    );
  }

  /** Sees to it that the session has all values. A clone of a variable keeps its own. */
  take(): void {
    if (this.#variables.length === 0 || this.#isWhole()) return;
    this.giveBack();
    this.#session.run(
      this.#write,
      this.#variables.map((variable) => handleOf(this.#backend, variable)),
    );
    this.#lent = this.#variables.map((variable) => this.#lend(variable));
  }

  /** Sees to it that the variables have their values. */
  giveBack(): void {
    if (this.#lent.length === 0) return;
    const made = this.#session.run(this.#taken, []);
    for (const [at, data] of this.#lent.entries()) {
      Object.defineProperty(data, "id", { value: made[at]?.id, writable: true, enumerable: true });
    }
    this.#lent = [];
  }

  /** Whether the session has all values, and nothing else shares the data of one, as a clone would. */
  #isWhole(): boolean {
    const { tensorMap } = this.#backend;
    return (
      this.#lent.length > 0 &&
      this.#variables.every(({ dataId }, at) => {
        const data = tensorMap.get(dataId);
        return data === this.#lent[at] && data.refCount === 1;
      })
    );
  }

  /** Frees the variable's own handle; whoever asks for it gets a new one, after {@link giveBack}. */
  #lend(variable: tf.Variable): NativeTensorData {
    const { binding, tensorMap } = this.#backend;
    const shared = tensorMap.get(variable.dataId);
    if (shared.refCount > 1) {
      const own = this.#backend.createOutputTensor({ id: -1, shape: shared.shape, dtype: shared.dtype });
      variable.assign(own);
      own.dispose();
    } else binding.deleteTensor(shared.id);
    const data = tensorMap.get(variable.dataId);
    const get = (): number => {
      this.giveBack();
      return data.id;
    };
    Object.defineProperty(data, "id", { get, configurable: true, enumerable: true });
    return data;
  }
}
