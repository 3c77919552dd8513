import { rm } from "node:fs/promises";
import { hostname } from "node:os";
import { AppError, toAppError } from "@whittle/contracts";
import { createConsumer } from "@whittle/queue";
import { openStore } from "@whittle/store";
import pino, { type Logger } from "pino";
import type { WorkerConfig } from "./env.ts";
import { clearCheckpoints } from "./checkpoints.ts";
import { childEntry } from "./entries.ts";
import { openFolder, workerId } from "./folders.ts";
import { createOwnStore } from "./own-store.ts";
import { findPublished } from "./published.ts";
import { createExecute } from "./supervisor/execute.ts";
import { findGpus } from "./supervisor/gpus.ts";
import { probe } from "./supervisor/probe.ts";
import { createSpare } from "./supervisor/spare.ts";

export interface Worker {
  /** Resolves when no job runs any more and the worker has left the queue: see {@link WorkerConfig} `drainMs`. */
  close(): Promise<void>;
}

/**
 * Finds out what this machine has, announces itself and takes jobs.
 * @throws AppError when there is no tensor backend or the store can't be used.
 */
export async function createWorker(config: WorkerConfig): Promise<Worker> {
  const log = pino({ name: "worker", level: config.logLevel });
  const store = await openStore(config.store);
  const env = childEnv(config);
  const { backend, datasets, warnings } = await probe(env, config.datasetDirs);
  for (const warning of warnings) log.warn(warning);
  if (config.requireGpu && !backend.gpu) {
    const found = `${backend.backend} ${backend.version} without a GPU`;
    throw new AppError("unsupported", `WHITTLE_REQUIRE_GPU is set, and this machine has ${found}`);
  }
  // A process binds itself to a GPU when it loads TensorFlow, and which one is known only when the job comes.
  const spare = config.spare && !backend.gpu ? createSpare({ entry: childEntry, env, log }) : undefined;
  const gpus = backend.gpu ? findGpus(env["CUDA_VISIBLE_DEVICES"]) : [];
  const id = workerId(hostname(), process.pid, Date.now());
  const workDir = await openFolder(config.workDir, hostname(), id);
  const consumer = createConsumer({
    redisUrl: config.redisUrl,
    prefix: config.prefix,
    kinds: config.kinds,
    concurrency: config.concurrency,
    lockDurationMs: config.lockDurationMs,
    stalledIntervalMs: config.stalledIntervalMs,
    quarantineAfter: config.quarantineAfter,
    retention: config.retention,
    clear: (job, epoch) => clearCheckpoints(store.scratch(job), epoch),
    published: (job) => findPublished(store, job),
    worker: { id, host: hostname(), pid: process.pid, backend, datasets },
    execute: createExecute({ ...config, workDir, env, gpus, log, spare }),
    isOwnStore: await createOwnStore(store, log),
    onDrain: () => spare?.close(),
    onError: warnOnce(log),
  });
  spare?.prepare();
  await consumer.start();
  log.info({ id, kinds: config.kinds, concurrency: config.concurrency, backend, datasets }, "is there");
  return {
    close: async () => {
      log.info("leaves: takes no more jobs");
      await consumer.close();
      await rm(workDir, { recursive: true, force: true });
      log.info("has left");
    },
  };
}

const repeatMs = 30_000;

/** While Redis is away the same error comes many times a second; it is written once, and again after {@link repeatMs}. */
function warnOnce(log: Logger): (error: unknown) => void {
  const last = new Map<string, number>();
  return (error) => {
    const { message } = toAppError(error);
    if (Date.now() - (last.get(message) ?? 0) < repeatMs) return;
    last.set(message, Date.now());
    log.warn({ err: error }, "queue");
  };
}

function childEnv({ childEnv: inherited, threads }: WorkerConfig): Record<string, string | undefined> {
  return { ...inherited, WHITTLE_THREADS: String(threads) };
}
