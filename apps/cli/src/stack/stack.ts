import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "@whittle/contracts";
import { WhittleClient } from "@whittle/sdk";
import { urlOf, type CliConfig } from "../env.ts";
import { inspectRedis } from "../setup/inspect-redis.ts";
import { readSettings } from "../setup/settings.ts";
import { keep, type Kept } from "./keep.ts";
import { lastLines } from "./launch.ts";
import { freePort } from "./ports.ts";
import { processes } from "./processes.ts";
import { keepRedis, type KeptRedis } from "./redis.ts";

export interface StackOptions {
  config: CliConfig;
  workers: number;
  concurrency: number;
  /** Told what is being done. */
  say: (line: string) => void;
  /** Ctrl-C while it starts: what was started is stopped again. */
  signal: AbortSignal;
}

/** A running Whittle: Redis (unless one was given), API, serving app and workers. */
export interface Stack {
  apiUrl: string;
  serveUrl: string;
  logDir: string;
  client: WhittleClient;
  /** Rejects when one of the processes ends again and again, or Redis can't be started again, before `close`. */
  failure: Promise<never>;
  /** Stops everything: workers first, which hand back or finish their jobs, Redis last. */
  close: () => Promise<void>;
  /** Stops everything at once. */
  kill: () => void;
}

const readyLimitMs = 120_000;

/**
 * Starts Whittle on this machine and waits until it takes jobs.
 * @throws AppError `unavailable` with the name, the last words and the log of the process that did not start; nothing is left running.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const redis = await findRedis(options.config, options.say);
  try {
    return await startApps(options, redis);
  } catch (error) {
    await redis?.close();
    throw error;
  }
}

async function startApps(
  { config, workers, concurrency, say, signal }: StackOptions,
  redis: KeptRedis | undefined,
): Promise<Stack> {
  if (signal.aborted) throw interrupted();
  const redisUrl = redis?.url ?? config.redisUrl ?? "";
  const api = await choosePort("API", config.api, say);
  const serve = await choosePort("serving app", config.serve, say);
  const logDir = join(config.home, "logs");
  const specs = processes({ ...config, redisUrl, api, serve, workers, concurrency });
  const launched = await Promise.all(
    specs.map((spec) => keep(spec, { cwd: config.root, logDir, env: config.inherited, say })),
  );
  const stack = assemble(launched, redis, config, {
    apiUrl: urlOf(api.host, api.port),
    serveUrl: urlOf(serve.host, serve.port),
    logDir,
  });
  const settled = new AbortController();
  try {
    await Promise.race([untilReady(stack, launched, settled.signal), stack.failure, whenAborted(signal)]);
    for (const one of launched) one.trust();
    return stack;
  } catch (error) {
    stack.kill();
    await stack.close();
    throw error;
  } finally {
    settled.abort();
  }
}

/** The private Redis of this checkout, or none where REDIS_URL names one, which must answer. */
async function findRedis({ redisUrl, home }: CliConfig, say: StackOptions["say"]): Promise<KeptRedis | undefined> {
  if (redisUrl === undefined) {
    const dir = join(home, "redis");
    const redis = await keepRedis(dir, say);
    say(`Redis ${redis.shared ? "runs already" : "started"}, data in ${dir}`);
    return redis;
  }
  const { status, found, advice } = await inspectRedis({ ...readSettings(), redisUrl });
  if (status === "missing")
    throw new AppError("unavailable", `Redis at REDIS_URL does not answer: ${found}; ${advice}`);
  say(`Redis at REDIS_URL: ${found}${advice === undefined ? "" : `; ${advice}`}`);
  return undefined;
}

/** @throws AppError `cancelled` as soon as the signal is aborted. */
export function whenAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const refuse = () => reject(interrupted());
    if (signal.aborted) refuse();
    else signal.addEventListener("abort", refuse, { once: true });
  });
}

function interrupted(): AppError {
  return new AppError("cancelled", "interrupted");
}

function assemble(
  launched: Kept[],
  redis: KeptRedis | undefined,
  config: CliConfig,
  at: Pick<Stack, "apiUrl" | "serveUrl" | "logDir">,
): Stack {
  let closing: Promise<void> | undefined;
  const stopAll = async () => {
    await Promise.all(launched.filter(isWorker).map((one) => one.stop(config.drainMs + 15_000)));
    await Promise.all(launched.filter((one) => !isWorker(one)).map((one) => one.stop(10_000)));
    await redis?.close();
  };
  const failure = Promise.race([
    ...(redis ? [redis.failure] : []),
    ...launched.map(async ({ ended, log }) => {
      const what = await ended;
      throw new AppError("unavailable", `${what}; the end of ${log}:\n${await lastLines(log)}`);
    }),
  ]);
  failure.catch(() => {});
  return {
    ...at,
    client: new WhittleClient({ url: at.apiUrl, serveUrl: at.serveUrl, key: config.key, serveKey: config.serveKey }),
    failure,
    close: () => (closing ??= stopAll()),
    kill: () => launched.forEach((one) => one.kill()),
  };
}

function isWorker({ name }: Kept): boolean {
  return name.startsWith("worker");
}

async function choosePort(what: string, { host, port }: { host: string; port: number }, say: StackOptions["say"]) {
  const free = await freePort(host, port);
  if (free !== port && port !== 0) say(`Port ${port} is taken; the ${what} listens on ${free}`);
  return { host, port: free };
}

/** Resolves when the API and the serving app answer and every worker that we started has announced itself; stops asking on `signal`. */
async function untilReady(stack: Stack, launched: Kept[], signal: AbortSignal): Promise<void> {
  const pids = launched.filter(isWorker).map(({ pid }) => pid);
  const end = Date.now() + readyLimitMs;
  let waitingFor = "the API";
  while (Date.now() < end && !signal.aborted) {
    waitingFor = await missing(stack, pids);
    if (waitingFor === "") return;
    await sleep(100);
  }
  throw new AppError(
    "unavailable",
    `${waitingFor} is not ready after ${readyLimitMs / 1000} s; logs are in ${stack.logDir}`,
  );
}

async function missing({ apiUrl, serveUrl, client }: Stack, pids: number[]): Promise<string> {
  if (!(await answers(`${apiUrl}/readyz`))) return "the API";
  if (!(await answers(`${serveUrl}/v2/health/ready`))) return "the serving app";
  const workers = await client.workers();
  const here = new Set(workers.filter(({ host }) => host === hostname()).map(({ pid }) => pid));
  return pids.every((pid) => here.has(pid)) ? "" : "a worker";
}

async function answers(url: string): Promise<boolean> {
  const response = await fetch(url).catch(() => undefined);
  await response?.body?.cancel();
  return response?.ok ?? false;
}
