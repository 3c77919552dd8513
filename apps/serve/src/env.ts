import { apiKeys, parse, presentVariables } from "@whittle/contracts";
import { z } from "zod";
import { serveConfig, type ServeConfig } from "./config.ts";

const fields = serveConfig.shape;
const number = z.string().transform(Number).optional();
const list = z
  .string()
  .transform((text) =>
    text
      .split(",")
      .map((item) => item.trim())
      .filter(Boolean),
  )
  .optional();

const schema = z
  .object({
    WHITTLE_SERVE_HOST: fields.host,
    WHITTLE_SERVE_PORT: number.pipe(fields.port),
    WHITTLE_SERVE_KEYS: apiKeys,
    WHITTLE_STORE: fields.store,
    WHITTLE_SERVE_MODELS: list.pipe(fields.models),
    WHITTLE_SERVE_ON_DEMAND: z.stringbool().optional().pipe(fields.onDemand),
    WHITTLE_SERVE_MAX_ON_DEMAND: number.pipe(fields.maxOnDemand),
    WHITTLE_SERVE_THREADS: number.pipe(fields.threads),
    WHITTLE_SERVE_INTRA_OP_THREADS: number.pipe(fields.intraOpThreads),
    WHITTLE_SERVE_MAX_BATCH: number.pipe(fields.maxBatch),
    WHITTLE_SERVE_MAX_DELAY_MS: number.pipe(fields.maxDelayMs),
    WHITTLE_SERVE_MAX_QUEUE: number.pipe(fields.maxQueue),
    WHITTLE_SERVE_MAX_EXPLANATIONS: number.pipe(fields.maxExplanations),
    WHITTLE_SERVE_MAX_EVALUATIONS: number.pipe(fields.maxEvaluations),
    WHITTLE_SERVE_POLL_MS: number.pipe(fields.pollMs),
    WHITTLE_SERVE_BODY_LIMIT: number.pipe(fields.bodyLimit),
    WHITTLE_SERVE_DRAIN_MS: number.pipe(fields.drainMs),
    WHITTLE_LOG_LEVEL: z.enum(["debug", "info", "warn", "error", "silent"]).default("info"),
  })
  .transform((env) => ({
    host: env.WHITTLE_SERVE_HOST,
    port: env.WHITTLE_SERVE_PORT,
    keys: env.WHITTLE_SERVE_KEYS,
    store: env.WHITTLE_STORE,
    models: env.WHITTLE_SERVE_MODELS,
    onDemand: env.WHITTLE_SERVE_ON_DEMAND,
    maxOnDemand: env.WHITTLE_SERVE_MAX_ON_DEMAND,
    threads: env.WHITTLE_SERVE_THREADS,
    intraOpThreads: env.WHITTLE_SERVE_INTRA_OP_THREADS,
    maxBatch: env.WHITTLE_SERVE_MAX_BATCH,
    maxDelayMs: env.WHITTLE_SERVE_MAX_DELAY_MS,
    maxQueue: env.WHITTLE_SERVE_MAX_QUEUE,
    maxExplanations: env.WHITTLE_SERVE_MAX_EXPLANATIONS,
    maxEvaluations: env.WHITTLE_SERVE_MAX_EVALUATIONS,
    pollMs: env.WHITTLE_SERVE_POLL_MS,
    bodyLimit: env.WHITTLE_SERVE_BODY_LIMIT,
    drainMs: env.WHITTLE_SERVE_DRAIN_MS,
    logLevel: env.WHITTLE_LOG_LEVEL,
  }));

/**
 * Reads the configuration from the environment; an empty variable counts as absent.
 * @throws AppError `invalid_request` that names the variable.
 */
export function readEnv(environment: NodeJS.ProcessEnv = process.env): ServeConfig & { logLevel: string } {
  return parse(schema, presentVariables(environment), "The serving app's configuration");
}
