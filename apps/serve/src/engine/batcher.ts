import { AppError, toAppError } from "@whittle/contracts";
import { batchKey, concatenate, rowsOf, split } from "./batch.ts";
import type { Tensors } from "./messages.ts";
import type { Lease } from "./pool.ts";

export interface BatchLimits {
  /** Samples in one call of the model; 1 turns batching off. A single request may have more. */
  maxRows: number;
  /** How long a request waits for others, when the model is at work anyway. */
  maxDelayMs: number;
  /** Requests that may wait. */
  maxQueue: number;
}

export interface BatcherOptions extends BatchLimits {
  key: string;
  acquire: () => Promise<Lease>;
  onBatch?: (rows: number) => void;
}

interface Pending {
  inputs: Tensors;
  rows: number;
  key: string;
  resolve(outputs: Tensors): void;
  reject(error: AppError): void;
}

/**
 * Dynamic batching for one model: requests that arrive while it is at work are put together along axis 0 and run as one. When it is idle
 * a request runs at once. Otherwise a batch starts when it is full, when its oldest request has waited `maxDelayMs`, or when the batch
 * before it is done.
 */
export class Batcher {
  readonly #options: BatcherOptions;
  #queue: Pending[] = [];
  #running = 0;
  #acquiring = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: BatcherOptions) {
    this.#options = options;
  }

  /** Requests that wait for a thread. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** @throws AppError `unavailable` when too many requests wait already. */
  checkRoom(): void {
    const { maxQueue } = this.#options;
    if (this.#queue.length >= maxQueue)
      throw new AppError("unavailable", `${maxQueue} requests are waiting already: try again later`);
  }

  /**
   * Runs one request.
   * @throws AppError `unavailable` when too many wait already.
   */
  infer(inputs: Tensors): Promise<Tensors> {
    return new Promise((resolve, reject) => {
      this.checkRoom();
      this.#queue.push({ inputs, rows: rowsOf(inputs), key: batchKey(inputs), resolve, reject });
      this.#schedule();
    });
  }

  #schedule(): void {
    const { maxRows, maxDelayMs } = this.#options;
    if (this.#queue.length === 0 || this.#acquiring) return;
    const rows = this.#queue.reduce((sum, pending) => sum + pending.rows, 0);
    if (this.#running === 0 || rows >= maxRows || maxDelayMs === 0) void this.#dispatch();
    else this.#timer ??= setTimeout(() => void this.#dispatch(), maxDelayMs);
  }

  /** Waits for a thread, and only then picks the batch: whoever came meanwhile is in it. */
  async #dispatch(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#acquiring || this.#queue.length === 0) return;
    this.#acquiring = true;
    const lease = await this.#options.acquire().catch(toAppError);
    this.#acquiring = false;
    if (lease instanceof AppError) {
      for (const pending of this.#queue.splice(0)) pending.reject(lease);
      return;
    }
    const batch = this.#take();
    this.#running += 1;
    this.#schedule();
    await this.#run(lease, batch);
    lease.giveBack();
    this.#running -= 1;
    this.#schedule();
  }

  /** Takes the oldest request and those that fit to it, in order. */
  #take(): Pending[] {
    const [first] = this.#queue;
    let room = this.#options.maxRows;
    const batch = this.#queue.filter((pending) => {
      if (pending !== first && (pending.key !== first?.key || pending.rows > room)) return false;
      room -= pending.rows;
      return true;
    });
    this.#queue = this.#queue.filter((pending) => !batch.includes(pending));
    return batch;
  }

  async #run(lease: Lease, batch: Pending[]): Promise<void> {
    const { key, onBatch } = this.#options;
    const rows = batch.map((pending) => pending.rows);
    onBatch?.(rows.reduce((sum, count) => sum + count, 0));
    try {
      const outputs = await lease.run(key, concatenate(batch.map(({ inputs }) => inputs)));
      const [only] = batch;
      if (batch.length === 1) return only?.resolve(outputs);
      split(outputs, rows).forEach((part, index) => batch[index]?.resolve(part));
    } catch (error) {
      const [only, ...others] = batch;
      if (others.length === 0) return only?.reject(toAppError(error));
      // One request may have spoilt it for the others.
      for (const pending of batch) await this.#run(lease, [pending]);
    }
  }
}
