import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Worker } from "node:worker_threads";
import { AppError, isLoopback, parse } from "@whittle/contracts";
import { openStore } from "@whittle/store";
import { pino, type Logger } from "pino";
import type { z } from "zod";
import packageJson from "../package.json" with { type: "json" };
import { createApp } from "./app.ts";
import { serveConfig } from "./config.ts";
import { createGate } from "./engine/gate.ts";
import { Pool } from "./engine/pool.ts";
import { Servable } from "./engine/servable.ts";
import { spawnThread } from "./engine/spawn-thread.ts";
import { createMetrics } from "./metrics.ts";
import { Loader } from "./models/loader.ts";
import { Registry } from "./models/registry.ts";

/**
 * How long an idle connection stays open: longer than the 60 seconds of common proxies, so that it is they who close it. Node's 5 seconds
 * would end it now and then just when the next request is on its way.
 */
const KEEP_ALIVE_MS = 75_000;

export interface ServeParts {
  logger?: Logger;
  /** Starts an inference thread. */
  spawn?: () => Worker;
}

export interface RunningServe {
  url: string;
  /** Refuses new connections, answers what is in flight, and ends the threads. */
  close(): Promise<void>;
}

/**
 * Starts the serving app. It listens at once, and is ready when the models that it is configured for are loaded; a model that isn't
 * in the store yet is served as soon as it is.
 * @throws AppError `invalid_request` for a wrong configuration, `unavailable` when the store or the port can't be used.
 */
export async function createServe(input: z.input<typeof serveConfig>, parts: ServeParts = {}): Promise<RunningServe> {
  const config = parse(serveConfig, input, "The serving app's configuration");
  const logger = parts.logger ?? pino({ name: "serve" });
  const store = await openStore(config.store);
  const pool = new Pool({
    threads: config.threads,
    spawn: parts.spawn ?? (() => spawnThread(config.intraOpThreads)),
    onProblem: (problem) => logger.error({ err: problem }, "an inference thread has a problem"),
  });
  const limits = { maxRows: config.maxBatch, maxDelayMs: config.maxDelayMs, maxQueue: config.maxQueue };
  const loader = new Loader(store, async (source) => {
    const { name, version, digest } = source;
    const servable = await Servable.load(pool, source, limits, (rows) => metrics.batch(name, rows));
    logger.info({ model: name, version, digest }, "loaded");
    return servable;
  });
  const { onDemand, maxOnDemand } = config;
  const onProblem = (model: string, problem: AppError) => logger.warn({ model, reason: problem.message }, "not served");
  const registry = new Registry({ store, loader, onDemand, maxOnDemand, onProblem }, config.models);
  const metrics = createMetrics(() => ({ registry, pool }));
  const closing = new AbortController();
  const isReady = () => !closing.signal.aborted && pool.ready > 0 && registry.missing.length === 0;
  const { maxExplanations, maxEvaluations, maxBatch } = config;
  const explanations = { gate: createGate(maxExplanations, "explanations"), maxEvaluations, maxBatch };
  const app = createApp({
    context: { store, registry, loader, isReady, explanations },
    metrics,
    logger,
    bodyLimit: config.bodyLimit,
    host: config.host,
    keys: config.keys,
    missing: () => registry.missing,
    version: packageJson.version,
  });
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, app);
  const url = await listen(server, config.host, config.port).catch(async (error: unknown) => {
    await pool.close();
    throw error;
  });
  logger.info({ url, store: store.location, threads: config.threads, models: config.models }, "serving");
  if (config.keys.length === 0 && !isLoopback(config.host)) {
    const { host } = config;
    logger.warn(
      { host },
      "OPEN TO ALL: without WHITTLE_SERVE_KEYS everybody who reaches this host may load and unload models",
    );
  }
  const following = follow(registry, config.pollMs, closing.signal);
  const close = async () => {
    closing.abort();
    await drain(server, config.drainMs);
    await pool.close();
    await following;
  };
  let closed: Promise<void> | undefined;
  return { url, close: () => (closed ??= close()) };
}

/** Keeps the registry at what the store says, until it is told to stop. */
async function follow(registry: Registry, pollMs: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await registry.refresh();
    await sleep(pollMs, undefined, { signal }).catch(() => {});
  }
}

async function listen(server: Server, host: string, port: number): Promise<string> {
  server.listen(port, host);
  try {
    await once(server, "listening");
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new AppError("unavailable", `can't listen on ${host}:${port}: ${reason}`, { cause: error });
  }
  const address = server.address();
  if (address === null || typeof address === "string") throw new AppError("internal", "the server has no port");
  return `http://${host.includes(":") ? `[${host}]` : host}:${address.port}`;
}

/** Waits for the requests in flight, at most `limitMs`. */
async function drain(server: Server, limitMs: number): Promise<void> {
  const closed = once(server, "close");
  server.close();
  // Clients keep connections on which they have got their answers.
  const sweeping = setInterval(() => server.closeIdleConnections(), 50);
  const impatience = setTimeout(() => server.closeAllConnections(), limitMs);
  await closed;
  clearInterval(sweeping);
  clearTimeout(impatience);
}
