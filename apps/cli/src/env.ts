import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { apiKeys, parse, presentVariables, redisUrl, scopes, type ApiKey } from "@whittle/contracts";
import { z } from "zod";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const port = z.coerce.number().int().min(0).max(65_535);

const schema = z
  .object({
    WHITTLE_URL: z.url().optional(),
    WHITTLE_SERVE_URL: z.url().optional(),
    WHITTLE_KEY: z.string().optional(),
    WHITTLE_SERVE_KEY: z.string().optional(),
    WHITTLE_API_KEYS: apiKeys,
    WHITTLE_SERVE_KEYS: apiKeys,
    WHITTLE_API_HOST: z.string().default("127.0.0.1"),
    WHITTLE_API_PORT: port.default(7700),
    WHITTLE_SERVE_HOST: z.string().default("127.0.0.1"),
    WHITTLE_SERVE_PORT: port.default(7701),
    WHITTLE_STORE: z.string().default(".whittle/store"),
    WHITTLE_DATA_DIR: z.string().optional(),
    WHITTLE_PREFIX: z.string().default("whittle"),
    WHITTLE_DRAIN_SECONDS: z.coerce.number().min(0).default(30),
    REDIS_URL: redisUrl.optional(),
  })
  .transform((env) => ({
    apiUrl: env.WHITTLE_URL ?? urlOf(env.WHITTLE_API_HOST, env.WHITTLE_API_PORT),
    serveUrl: env.WHITTLE_SERVE_URL ?? urlOf(env.WHITTLE_SERVE_HOST, env.WHITTLE_SERVE_PORT),
    key: env.WHITTLE_KEY ?? strongestKey(env.WHITTLE_API_KEYS),
    /** What the serving app is sent; without it, `key`. */
    serveKey: env.WHITTLE_SERVE_KEY ?? strongestKey(env.WHITTLE_SERVE_KEYS),
    api: { host: env.WHITTLE_API_HOST, port: env.WHITTLE_API_PORT },
    serve: { host: env.WHITTLE_SERVE_HOST, port: env.WHITTLE_SERVE_PORT },
    store: env.WHITTLE_STORE.includes("://") ? env.WHITTLE_STORE : resolve(root, env.WHITTLE_STORE),
    datasetDirs: env.WHITTLE_DATA_DIR === undefined ? [] : [resolve(root, env.WHITTLE_DATA_DIR)],
    prefix: env.WHITTLE_PREFIX,
    drainMs: env.WHITTLE_DRAIN_SECONDS * 1000,
    redisUrl: env.REDIS_URL,
    /** Where commands are run. */
    root,
    /** What Whittle keeps on this machine: Redis' data, logs, the store. */
    home: join(root, ".whittle"),
  }));

export type CliConfig = z.output<typeof schema> & {
  /** What started processes inherit. */
  inherited: Record<string, string | undefined>;
};

/** @throws AppError `invalid_request` that names the variable. */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): CliConfig {
  return { ...parse(schema, presentVariables(environment), "The environment"), inherited: { ...environment } };
}

/** How a client reaches what listens on `host`. */
export function urlOf(host: string, at: number): string {
  const reachable = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
  return `http://${reachable.includes(":") ? `[${reachable}]` : reachable}:${at}`;
}

/** The key that may do most. */
function strongestKey(keys: readonly ApiKey[]): string | undefined {
  return keys.toSorted((a, b) => scopes.indexOf(b.scope) - scopes.indexOf(a.scope))[0]?.key;
}
