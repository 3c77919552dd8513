import { setTimeout as sleep } from "node:timers/promises";
import type { Worker } from "node:worker_threads";
import { AppError, toAppError } from "@whittle/contracts";
import type { ModelSpecs, Tensors } from "./messages.ts";
import { ThreadClient } from "./thread-client.ts";

/** Reads a model's ONNX file. It is called again for a thread that replaces one that ended. */
export type ReadModel = () => Promise<Uint8Array>;

export interface PoolOptions {
  threads: number;
  spawn: () => Worker;
  /** Told what went wrong in the background: a thread that ended, a model that its successor can't load. */
  onProblem: (problem: AppError) => void;
}

/** One thread, for one caller, until it is given back. */
export interface Lease {
  run(key: string, inputs: Tensors): Promise<Tensors>;
  giveBack(): void;
}

interface Slot {
  client: ThreadClient | undefined;
  state: "down" | "idle" | "busy";
  loaded: Map<string, ModelSpecs>;
}

interface Waiter {
  fits: (slot: Slot) => boolean;
  /** Whether it waits for a thread that is down, too. */
  patient: boolean;
  resolve: (slot: Slot) => void;
  reject: (error: AppError) => void;
}

const RESPAWN_MS = { first: 50, longest: 5000, healthyAfter: 10_000 };

/**
 * Threads that all hold every loaded model. A thread that ends is replaced, and its successor gets the models before it gets work. A model
 * is loaded in one thread after the other, so that with two threads or more there is always one that answers.
 */
export class Pool {
  readonly #options: PoolOptions;
  readonly #models = new Map<string, ReadModel>();
  readonly #slots: Slot[];
  readonly #keepers: Promise<void>[];
  #waiters: Waiter[] = [];
  #closed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#slots = Array.from({ length: options.threads }, () => ({
      client: undefined,
      state: "down",
      loaded: new Map(),
    }));
    this.#keepers = this.#slots.map((slot) => this.#keep(slot));
  }

  /** Threads that are up. */
  get ready(): number {
    return this.#slots.filter(({ state }) => state !== "down").length;
  }

  /** Whether a thread is up that holds this model. */
  holds(key: string): boolean {
    return this.#slots.some(({ state, loaded }) => state !== "down" && loaded.has(key));
  }

  /**
   * Loads a model in every thread, and runs it once in each.
   * @throws AppError what the first thread said that could not; then it is loaded in none.
   */
  async load(key: string, read: ReadModel): Promise<ModelSpecs> {
    const model = await read();
    let specs: ModelSpecs | undefined;
    try {
      for (const slot of this.#slots) specs = await this.#loadInto(slot, key, model);
      this.#models.set(key, read);
      // A thread that was replaced meanwhile did not know of this model yet.
      for (const slot of this.#slots) if (!slot.loaded.has(key)) await this.#loadInto(slot, key, model);
    } catch (error) {
      await this.release(key);
      throw toAppError(error);
    }
    if (specs === undefined) throw new AppError("internal", "the pool has no threads");
    return specs;
  }

  /** Frees a model's memory; call it when nothing runs it any more. */
  async release(key: string): Promise<void> {
    this.#models.delete(key);
    const holders = this.#slots.filter(({ loaded }) => loaded.delete(key));
    // A thread that ends has freed it, too.
    await Promise.allSettled(holders.map(async ({ client }) => client?.release(key)));
  }

  /**
   * Waits for a thread that holds a model.
   * @throws AppError `unavailable` when none does, or the last one ends.
   */
  async acquire(key: string): Promise<Lease> {
    return lease(await this.#take(({ loaded }) => loaded.has(key), false), (slot) => this.#offer(slot));
  }

  /** Ends the threads; what they still run fails. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#rejectWaiters(() => true);
    await Promise.all(this.#slots.map(async ({ client }) => client?.terminate()));
    await Promise.all(this.#keepers);
  }

  async #loadInto(slot: Slot, key: string, model: Uint8Array): Promise<ModelSpecs> {
    await this.#take((other) => other === slot, true);
    const { client } = slot;
    try {
      const specs = slot.loaded.get(key) ?? (await client?.load(key, model));
      if (specs === undefined) throw closedError();
      if (slot.client === client) slot.loaded.set(key, specs);
      return specs;
    } finally {
      if (slot.client === client) this.#offer(slot);
    }
  }

  /** Runs one thread after the other in a slot, as each ends. */
  async #keep(slot: Slot): Promise<void> {
    let delay = RESPAWN_MS.first;
    while (!this.#closed) {
      const startedAt = performance.now();
      const failure = await this.#runThread(slot);
      if (this.#closed) return;
      this.#options.onProblem(failure);
      this.#rejectWaiters((waiter) => !waiter.patient && !this.#slots.some((other) => waiter.fits(other)));
      if (performance.now() - startedAt > RESPAWN_MS.healthyAfter) delay = RESPAWN_MS.first;
      await sleep(delay, undefined, { ref: false });
      delay = Math.min(delay * 2, RESPAWN_MS.longest);
    }
  }

  /** Starts a thread, gives it the models and lets it work. @returns why it ended. */
  async #runThread(slot: Slot): Promise<AppError> {
    const ended = new Promise<AppError>((resolve) => {
      slot.client = new ThreadClient(this.#options.spawn(), (failure) => {
        Object.assign(slot, { client: undefined, state: "down", loaded: new Map() });
        resolve(failure);
      });
    });
    const { client } = slot;
    for (const [key, read] of this.#models) {
      try {
        const specs = await client?.load(key, await read());
        if (specs === undefined) continue;
        if (this.#models.has(key)) slot.loaded.set(key, specs);
        else await client?.release(key);
      } catch (error) {
        this.#options.onProblem(toAppError(error));
      }
    }
    if (client?.alive) this.#offer(slot);
    return ended;
  }

  #take(fits: (slot: Slot) => boolean, patient: boolean): Promise<Slot> {
    if (this.#closed) return Promise.reject(closedError());
    const idle = this.#slots.find((slot) => slot.state === "idle" && fits(slot));
    if (idle) {
      idle.state = "busy";
      return Promise.resolve(idle);
    }
    if (!patient && !this.#slots.some(fits)) return Promise.reject(noThreadError());
    return new Promise((resolve, reject) => this.#waiters.push({ fits, patient, resolve, reject }));
  }

  /** Gives a free thread to whoever has waited longest for one like it. */
  #offer(slot: Slot): void {
    const waiter = this.#waiters.find(({ fits }) => fits(slot));
    slot.state = waiter ? "busy" : "idle";
    if (!waiter) return;
    this.#waiters = this.#waiters.filter((other) => other !== waiter);
    waiter.resolve(slot);
  }

  #rejectWaiters(which: (waiter: Waiter) => boolean): void {
    const rejected = this.#waiters.filter(which);
    this.#waiters = this.#waiters.filter((waiter) => !rejected.includes(waiter));
    for (const waiter of rejected) waiter.reject(this.#closed ? closedError() : noThreadError());
  }
}

function lease(slot: Slot, offer: (slot: Slot) => void): Lease {
  const { client } = slot;
  return {
    run: async (key, inputs) => {
      if (client === undefined) throw noThreadError();
      return client.run(key, inputs);
    },
    // A thread that has ended was replaced by one that is not ours.
    giveBack: () => {
      if (slot.client === client) offer(slot);
    },
  };
}

const noThreadError = () =>
  new AppError("unavailable", "no inference thread holds this model at the moment: try again");
const closedError = () => new AppError("unavailable", "the server is shutting down");
