import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { WorkerView } from "@whittle/contracts";
import { Worker, type Job } from "bullmq";
import { createContext, workerConnection, type Connection, type Context } from "./connection.ts";
import { declaredStore } from "./declared-store.ts";
import { loseRun } from "./fence.ts";
import { announceEveryMs, lockDurationMs, quarantineAfter, retention, stalledIntervalMs } from "./limits.ts";
import { maintain, type MaintenanceOptions } from "./maintenance.ts";
import { findReady, wake } from "./ready.ts";
import type { Retention } from "./retention.ts";
import { runJob, type Execute, type Running, type RunOptions, type StopReason } from "./run-job.ts";
import { nominateNext } from "./turns.ts";
import { announce, isDrained, withdraw } from "./workers.ts";

export interface ConsumerOptions {
  redisUrl: string;
  prefix?: string;
  kinds: string[];
  /** Jobs at a time, of all kinds together. */
  concurrency: number;
  worker: Pick<WorkerView, "id" | "host" | "pid" | "backend" | "datasets">;
  /** Runs one job. A thrown AppError that is retryable uses one attempt; any other ends the job. */
  execute: Execute;
  /** Whether the store that the API reads, by its identity, is the one in which this worker publishes; while it is not, no job is taken. */
  isOwnStore?: (id: string) => Promise<boolean>;
  /** Called when the worker begins to take no more jobs, and will take none again. */
  onDrain?: () => void;
  /** Hears of what went wrong outside of a job: Redis away, a claim lost. */
  onError?: (error: unknown) => void;
  /** How long a claim on a job holds without being renewed, and how often lapsed claims of others are looked for. */
  lockDurationMs?: number;
  stalledIntervalMs?: number;
  /** How often in a row, without a new checkpoint, a job's process or worker may die before the job is not run again. */
  quarantineAfter?: number;
  /** How long ended jobs are kept. */
  retention?: Retention;
  /** Removes what the runs of an ended job have left in the store: see {@link MaintenanceOptions} `clear`. */
  clear?: MaintenanceOptions["clear"];
  /** Finds what a job has published: see {@link RunOptions} `published`. */
  published?: RunOptions["published"];
}

export interface Consumer {
  /** Begins to take jobs. Resolves when Redis is there and the worker has announced itself. */
  start(): Promise<void>;
  /** Takes no more jobs and tells the running ones to stop (`drain`); resolves when they have: finished, or waiting again. */
  drain(): Promise<void>;
  /** As {@link Consumer.drain}, then leaves. Without Redis it leaves when its claims have lapsed. */
  close(): Promise<void>;
}

/** The workers' side: takes jobs of `kinds`, at most `concurrency` at a time, and runs them with `execute`. */
export function createConsumer(options: ConsumerOptions): Consumer {
  return new QueueConsumer(options);
}

const pollMs = 1000;
const outagePauseMs = 500;

class QueueConsumer implements Consumer {
  readonly #options: ConsumerOptions;
  readonly #run: RunOptions;
  readonly #context: Context;
  readonly #subscriber: Connection;
  /** One BullMQ worker a kind, of which jobs are taken by hand: only so does `concurrency` hold for all kinds together. */
  readonly #sources: Worker[];
  readonly #running = new Map<string, Running>();
  readonly #finishing = new Set<Promise<void>>();
  readonly #startedAt = new Date().toISOString();
  #draining = false;
  #astray = false;
  #maintaining = false;
  #turn = 0;
  #loop: Promise<void> = Promise.resolve();
  #heart: NodeJS.Timeout | undefined;
  #wake = (_kind?: string): void => {};

  constructor(options: ConsumerOptions) {
    this.#options = options;
    this.#run = {
      worker: options.worker.id,
      execute: options.execute,
      lockDurationMs: options.lockDurationMs ?? lockDurationMs,
      quarantineAfter: options.quarantineAfter ?? quarantineAfter,
      published: options.published ?? (async () => undefined),
      onError: options.onError ?? (() => {}),
      onChange: () => this.#tell(),
    };
    this.#context = createContext(workerConnection(options.redisUrl), options.prefix ?? "whittle");
    this.#subscriber = workerConnection(options.redisUrl);
    this.#sources = options.kinds.map((kind) => this.#openSource(kind));
  }

  async start(): Promise<void> {
    const { keys } = this.#context;
    this.#subscriber.on("message", (channel: string, message: string) => {
      if (channel === keys.cancel) this.#running.get(message)?.stop.abort("cancelled" satisfies StopReason);
      else if (channel === keys.drained) this.#drainIf(message === this.#run.worker);
      else this.#wake(message);
    });
    await this.#subscriber.subscribe(keys.cancel, keys.drained, keys.wake);
    await Promise.all(this.#sources.map((source) => source.startStalledCheckTimer()));
    await this.#publishesRightly();
    await announce(this.#context, this.#view());
    this.#heart = setInterval(() => {
      this.#tell();
      this.#maintain();
      isDrained(this.#context, this.#run.worker).then((asked) => this.#drainIf(asked), this.#run.onError);
    }, announceEveryMs);
    this.#loop = this.#pump();
  }

  async drain(): Promise<void> {
    this.#draining = true;
    this.#options.onDrain?.();
    this.#wake();
    for (const { stop } of this.#running.values()) stop.abort("drain" satisfies StopReason);
    this.#tell();
    await this.#loop;
    await Promise.all(this.#finishing);
  }

  async close(): Promise<void> {
    const drained = new AbortController();
    await Promise.race([this.drain(), this.#redisIsLost(drained.signal)]);
    drained.abort();
    clearInterval(this.#heart);
    const { onError, worker } = this.#run;
    if (this.#context.redis.status === "ready") await withdraw(this.#context, worker).catch(onError);
    this.#subscriber.disconnect();
    await Promise.all(this.#sources.map((source) => source.close(true).catch(onError)));
    await this.#context.close();
  }

  #drainIf(asked: boolean): void {
    if (asked && !this.#draining) this.drain().catch(this.#run.onError);
  }

  /** Resolves when Redis has not answered for as long as a claim holds: then there is nothing left to give back. */
  async #redisIsLost(unless: AbortSignal): Promise<void> {
    const { redis } = this.#context;
    for (let silentMs = 0; silentMs < this.#run.lockDurationMs && !unless.aborted;) {
      const pause = sleep(pollMs, false, { ref: false });
      const answer = redis.ping().then(
        () => true,
        () => false,
      );
      silentMs = (await Promise.race([answer, pause])) ? 0 : silentMs + pollMs;
      await pause;
    }
  }

  #openSource(kind: string): Worker {
    const source = new Worker(kind, null, {
      connection: this.#context.redis,
      prefix: this.#context.keys.bull,
      name: this.#run.worker,
      autorun: false,
      lockDuration: this.#run.lockDurationMs,
      stalledInterval: this.#options.stalledIntervalMs ?? stalledIntervalMs,
      // Lost workers have a limit of their own, see quarantineAfter.
      maxStalledCount: Number.MAX_SAFE_INTEGER,
    });
    source.on("error", this.#run.onError);
    source.on("stalled", (id) => void this.#lose(kind, id).catch(this.#run.onError));
    return source;
  }

  async #lose(kind: string, id: string): Promise<void> {
    await loseRun(this.#context, kind, id);
    await wake(this.#context, kind);
  }

  async #pump(): Promise<void> {
    let kind: string | undefined;
    while (!this.#draining) {
      let pauseMs = pollMs;
      const woken = new Promise<string | undefined>((resolve) => (this.#wake = resolve));
      try {
        if (this.#finishing.size < this.#options.concurrency && (await this.#publishesRightly())) {
          const nextMs = (kind !== undefined && (await this.#takeOf(kind))) || (await this.#takeAny());
          kind = undefined;
          if (nextMs === true) continue;
          pauseMs = Math.min(pollMs, nextMs);
        }
      } catch (error) {
        this.#run.onError(error);
        await sleep(outagePauseMs);
      }
      kind = await Promise.race([woken, sleep(pauseMs, undefined)]);
    }
  }

  /** Whether somebody would look where this worker publishes. */
  async #publishesRightly(): Promise<boolean> {
    const { isOwnStore } = this.#options;
    if (!isOwnStore) return true;
    const declared = await declaredStore(this.#context);
    const astray = declared !== null && !(await isOwnStore(declared));
    if (astray !== this.#astray) {
      this.#astray = astray;
      this.#tell();
    }
    return !astray;
  }

  /** Takes and starts one job, the kinds taking turns. @returns true, or for how long there is none. */
  async #takeAny(): Promise<true | number> {
    const { kinds, nextMs } = await findReady(this.#context, this.#options.kinds);
    const first = this.#turn++ % Math.max(1, kinds.length);
    for (const kind of [...kinds.slice(first), ...kinds.slice(0, first)]) if (await this.#takeOf(kind)) return true;
    return nextMs;
  }

  /** Takes and starts a job of a kind. @returns whether there was one. */
  async #takeOf(kind: string): Promise<boolean> {
    const source = this.#sources.find(({ name }) => name === kind);
    if (!source) return false;
    await nominateNext(this.#context, kind);
    const token = randomUUID();
    const job: Job | undefined = await source.getNextJob(token, { block: false });
    if (!job) return false;
    const done = this.#start(job, token).finally(() => {
      this.#finishing.delete(done);
      this.#wake();
    });
    this.#finishing.add(done);
    return true;
  }

  async #start(job: Job, token: string): Promise<void> {
    const id = job.id ?? "";
    const running: Running = { job, token, id, kind: job.queueName, stop: new AbortController() };
    this.#running.set(id, running);
    if (this.#draining) running.stop.abort("drain" satisfies StopReason);
    this.#tell();
    await runJob(this.#context, running, this.#run);
    this.#running.delete(id);
    this.#tell();
  }

  #maintain(): void {
    // What ended jobs have left is in another store.
    if (this.#maintaining || this.#astray) return;
    this.#maintaining = true;
    const { retention: kept = retention, clear = async () => {} } = this.#options;
    maintain(this.#context, { worker: this.#run.worker, retention: kept, clear })
      .catch(this.#run.onError)
      .finally(() => (this.#maintaining = false));
  }

  #tell(): void {
    announce(this.#context, this.#view()).catch(this.#run.onError);
  }

  #view(): WorkerView {
    const jobs: WorkerView["jobs"] = [];
    for (const { id, kind, pid } of this.#running.values())
      jobs.push(pid === undefined ? { id, kind } : { id, kind, pid });
    const { worker, kinds, concurrency } = this.#options;
    const draining = this.#draining || this.#astray;
    return { ...worker, kinds, concurrency, startedAt: this.#startedAt, draining, jobs };
  }
}
