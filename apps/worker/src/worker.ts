import { hostname } from "node:os";
import { createConsumer, type Consumer } from "@whittle/queue";
import { openStore } from "@whittle/store";
import pino, { type Logger } from "pino";
import type { WorkerConfig } from "./env.ts";
import { createExecute } from "./supervisor/execute.ts";
import { probe } from "./supervisor/probe.ts";

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
  await openStore(config.store);
  const env = childEnv(config);
  const { backend, datasets, warnings } = await probe(env, config.datasetDirs);
  for (const warning of warnings) log.warn(warning);
  const id = `${hostname()}-${process.pid}-${Date.now().toString(36)}`;
  const consumer = createConsumer({
    redisUrl: config.redisUrl,
    prefix: config.prefix,
    kinds: config.kinds,
    concurrency: config.concurrency,
    worker: { id, host: hostname(), pid: process.pid, backend, datasets },
    execute: createExecute({ ...config, env, log }),
    onError: (error) => log.warn({ err: error }, "queue"),
  });
  await consumer.start();
  log.info({ id, kinds: config.kinds, concurrency: config.concurrency, backend, datasets }, "takes jobs");
  return { close: () => leave(consumer, log) };
}

async function leave(consumer: Consumer, log: Logger): Promise<void> {
  log.info("leaves: takes no more jobs");
  await consumer.close();
  log.info("has left");
}

function childEnv({ childEnv: inherited, threads }: WorkerConfig): Record<string, string | undefined> {
  return { TF_NUM_INTRAOP_THREADS: String(threads), ...inherited };
}
