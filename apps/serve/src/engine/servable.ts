import { AppError, mixesSamples, type Manifest } from "@whittle/contracts";
import { Batcher, type BatchLimits } from "./batcher.ts";
import type { ModelSpecs, Tensors } from "./messages.ts";
import type { Pool, ReadModel } from "./pool.ts";

export interface ServableSource {
  name: string;
  version: number;
  digest: string;
  manifest: Manifest;
  read: ReadModel;
}

/** One version of a model, loaded in the engine. */
export class Servable {
  readonly name: string;
  readonly version: number;
  readonly digest: string;
  readonly manifest: Manifest;
  readonly specs: ModelSpecs;
  readonly #pool: Pool;
  readonly #key: string;
  readonly #batcher: Batcher;
  #users = 0;
  #idle: (() => void) | undefined;

  private constructor(pool: Pool, key: string, source: ServableSource, specs: ModelSpecs, batcher: Batcher) {
    this.name = source.name;
    this.version = source.version;
    this.digest = source.digest;
    this.manifest = source.manifest;
    this.specs = specs;
    this.#pool = pool;
    this.#key = key;
    this.#batcher = batcher;
  }

  /** Loads a model in all threads and runs it once in each. @throws AppError when it can't be read, loaded or run. */
  static async load(
    pool: Pool,
    source: ServableSource,
    limits: BatchLimits,
    onBatch: (rows: number) => void,
  ): Promise<Servable> {
    const key = `${source.name}@${source.version}#${++Servable.#loads}`;
    const specs = await pool.load(key, source.read);
    const together = canBatch(specs) && !mixesSamples(source.manifest.config);
    const maxRows = together ? limits.maxRows : 1;
    const batcher = new Batcher({ ...limits, maxRows, key, acquire: () => pool.acquire(key), onBatch });
    return new Servable(pool, key, source, specs, batcher);
  }
  static #loads = 0;

  /** Whether a thread is up that holds it. */
  get ready(): boolean {
    return this.#pool.holds(this.#key);
  }

  /** Requests that wait for a thread. */
  get waiting(): number {
    return this.#batcher.waiting;
  }

  /**
   * Lets a request be refused before its tensors are read, which costs more than the refusal.
   * @throws AppError `unavailable` when too many requests wait already.
   */
  checkRoom(): void {
    this.#batcher.checkRoom();
  }

  /** Runs the model on inputs that fit its specs. */
  infer(inputs: Tensors): Promise<Tensors> {
    return this.#batcher.infer(inputs);
  }

  /** Keeps it loaded until {@link leave}. */
  enter(): void {
    this.#users += 1;
  }

  leave(): void {
    this.#users -= 1;
    if (this.#users === 0) this.#idle?.();
  }

  /** Waits until nobody uses it any more, then frees its memory. */
  async retire(): Promise<void> {
    if (this.#users > 0)
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    await this.#pool.release(this.#key);
  }
}

/** Whether samples of several requests may be run together: every input and output has a free first size. */
function canBatch({ inputs, outputs }: ModelSpecs): boolean {
  return [...inputs, ...outputs].every(({ shape }) => shape[0] === -1);
}

/** @throws AppError `unsupported` when an artifact has no ONNX file. */
export function requireOnnx(manifest: Manifest, name: string, version: number): void {
  if (manifest.files.some(({ role }) => role === "onnx")) return;
  throw new AppError("unsupported", `${name}@${version} has no ONNX file, so it can't be served`);
}
