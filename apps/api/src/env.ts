import { isIPv6 } from "node:net";
import { apiKeys, mustBe, parse, presentVariables, redisUrl } from "@whittle/contracts";
import { z } from "zod";

/** A host, as it stands in a URL that was parsed: only so do the two compare. */
const webhookHost = z.string().transform((text, context) => {
  const wildcard = text.startsWith("*.") ? "*." : "";
  const name = text.slice(wildcard.length);
  const url = `http://${isIPv6(name) ? `[${name}]` : name}`;
  if ((isIPv6(name) || /^[^:/?#@*[\]\\]+$/.test(name)) && URL.canParse(url))
    return wildcard + new URL(url).hostname.replace(/^\[|\]$/g, "");
  context.addIssue(mustBe("a name, *.name or an address, without scheme, port and path", text));
  return z.NEVER;
});

const schema = z
  .object({
    WHITTLE_API_HOST: z.string().default("127.0.0.1"),
    WHITTLE_API_PORT: z.coerce.number().int().min(0).max(65_535).default(7700),
    REDIS_URL: redisUrl.default("redis://127.0.0.1:6379"),
    WHITTLE_PREFIX: z.string().default("whittle"),
    WHITTLE_STORE: z.string().default(".whittle/store"),
    WHITTLE_API_KEYS: apiKeys,
    WHITTLE_RATE_LIMIT: z.coerce.number().int().min(0).default(3000),
    WHITTLE_WEBHOOK_SECRET: z
      .string()
      .regex(/^whsec_[A-Za-z0-9+/]{32,}={0,2}$/, "must be whsec_ and at least 24 random bytes in base 64")
      .optional(),
    WHITTLE_WEBHOOK_HOSTS: z
      .string()
      .default("")
      .transform((text) => text.split(/[\s,]+/).filter((host) => host !== ""))
      .pipe(z.array(webhookHost)),
    WHITTLE_BULL_BOARD_WRITABLE: z.stringbool().default(false),
    WHITTLE_BODY_LIMIT_BYTES: z.coerce.number().int().min(1024).default(1_048_576),
    WHITTLE_UPLOAD_BYTES: z.coerce.number().int().min(1024).default(536_870_912),
    WHITTLE_LOG_LEVEL: z.enum(["debug", "info", "warn", "error", "silent"]).default("info"),
  })
  .refine((env) => env.WHITTLE_WEBHOOK_HOSTS.length === 0 || env.WHITTLE_WEBHOOK_SECRET !== undefined, {
    path: ["WHITTLE_WEBHOOK_SECRET"],
    error: "is missing: the webhooks that WHITTLE_WEBHOOK_HOSTS allows are signed with it",
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
    /** Allowed only to the hosts that are listed; none by default. */
    ...(env.WHITTLE_WEBHOOK_SECRET !== undefined && {
      webhooks: { secret: env.WHITTLE_WEBHOOK_SECRET, hosts: env.WHITTLE_WEBHOOK_HOSTS },
    }),
    bullBoardWritable: env.WHITTLE_BULL_BOARD_WRITABLE,
    bodyLimitBytes: env.WHITTLE_BODY_LIMIT_BYTES,
    /** Largest file that may be uploaded, and what a data set may have unpacked; the latter is held in memory. */
    uploadLimitBytes: env.WHITTLE_UPLOAD_BYTES,
    logLevel: env.WHITTLE_LOG_LEVEL,
  }));

export type ApiConfig = z.output<typeof schema>;

/**
 * Reads the configuration from the environment; an empty variable counts as absent.
 * @throws AppError `invalid_request` that names the variable.
 */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): ApiConfig {
  return parse(schema, presentVariables(environment), "The API's configuration");
}
