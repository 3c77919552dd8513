import { parse } from "@whittle/contracts";
import { z } from "zod";
import { apiKeys } from "./keys.ts";

const schema = z
  .object({
    WHITTLE_API_HOST: z.string().default("127.0.0.1"),
    WHITTLE_API_PORT: z.coerce.number().int().min(0).max(65_535).default(7700),
    REDIS_URL: z.url({ protocol: /^rediss?$/ }).default("redis://127.0.0.1:6379"),
    WHITTLE_PREFIX: z.string().default("whittle"),
    WHITTLE_STORE: z.string().default(".whittle/store"),
    WHITTLE_API_KEYS: apiKeys,
    WHITTLE_RATE_LIMIT: z.coerce.number().int().min(0).default(3000),
    WHITTLE_BULL_BOARD_WRITABLE: z.stringbool().default(false),
    WHITTLE_BODY_LIMIT_BYTES: z.coerce.number().int().min(1024).default(1_048_576),
    WHITTLE_LOG_LEVEL: z.enum(["debug", "info", "warn", "error", "silent"]).default("info"),
  })
  .transform((env) => ({
    host: env.WHITTLE_API_HOST,
    port: env.WHITTLE_API_PORT,
    redisUrl: env.REDIS_URL,
    prefix: env.WHITTLE_PREFIX,
    store: env.WHITTLE_STORE,
    /** Who sends one of these as Bearer may do what its scope says; with none, the API listens on loopback only. */
    keys: env.WHITTLE_API_KEYS,
    /** Requests a minute for each key, counted by each API process; 0: no limit. */
    rateLimit: env.WHITTLE_RATE_LIMIT,
    bullBoardWritable: env.WHITTLE_BULL_BOARD_WRITABLE,
    bodyLimitBytes: env.WHITTLE_BODY_LIMIT_BYTES,
    logLevel: env.WHITTLE_LOG_LEVEL,
  }));

export type ApiConfig = z.output<typeof schema>;

/** @throws AppError `invalid_request` that names the variable. */
export function readConfig(env: Record<string, string | undefined> = process.env): ApiConfig {
  return parse(schema, env, "The API's configuration");
}
