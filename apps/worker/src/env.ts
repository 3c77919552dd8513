import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parse, parseCommandLine, presentVariables, redisUrl } from "@whittle/contracts";
import { catalog } from "@whittle/jobs/catalog";
import { z } from "zod";

const kind = z.string().refine((name) => Object.hasOwn(catalog, name), {
  error: (issue) => `${String(issue.input)} is not a job kind; the kinds are ${Object.keys(catalog).join(", ")}`,
});

const dayMs = 86_400_000;

/** `30d:100000`: kept for 30 days, and at most 100,000 of them. */
const kept = z
  .string()
  .regex(/^\d+d:\d+$/, "must be days and a number, such as 30d:100000")
  .transform((text) => {
    const [days = 0, count = 0] = text.split("d:").map(Number);
    return { ageMs: days * dayMs, count };
  });

const schema = z
  .object({
    REDIS_URL: redisUrl.default("redis://127.0.0.1:6379"),
    WHITTLE_PREFIX: z.string().default("whittle"),
    WHITTLE_STORE: z.string().default(".whittle/store"),
    WHITTLE_DATA_DIR: z.string().optional(),
    WHITTLE_WORK_DIR: z.string().default(join(tmpdir(), "whittle-jobs")),
    WHITTLE_KINDS: z
      .string()
      .default(Object.keys(catalog).join(","))
      .transform((list) => list.split(",").map((name) => name.trim()))
      .pipe(z.array(kind).min(1)),
    WHITTLE_CONCURRENCY: z.coerce.number().int().min(1).max(64).default(1),
    WHITTLE_THREADS: z.coerce.number().int().min(1).optional(),
    WHITTLE_SPARE: z.stringbool().default(true),
    WHITTLE_REQUIRE_GPU: z.stringbool().default(false),
    WHITTLE_GRACE_SECONDS: z.coerce.number().min(0).default(5),
    WHITTLE_DRAIN_SECONDS: z.coerce.number().min(0).default(30),
    WHITTLE_JOB_MEMORY_BYTES: z.coerce.number().int().min(1).optional(),
    WHITTLE_SILENT_SECONDS: z.coerce.number().min(15).default(120),
    WHITTLE_STALL_SECONDS: z.coerce.number().min(1).default(3600),
    WHITTLE_LEASE_SECONDS: z.coerce.number().min(1).default(10),
    WHITTLE_QUARANTINE_AFTER: z.coerce.number().int().min(1).default(5),
    WHITTLE_KEEP_COMPLETED: kept.prefault("30d:100000"),
    WHITTLE_KEEP_FAILED: kept.prefault("90d:100000"),
    WHITTLE_KEEP_CANCELLED: kept.prefault("30d:100000"),
    WHITTLE_LOG_LEVEL: z.enum(["debug", "info", "warn", "error"]).default("info"),
  })
  .transform((env) => ({
    redisUrl: env.REDIS_URL,
    prefix: env.WHITTLE_PREFIX,
    store: env.WHITTLE_STORE,
    /** Folders that hold data sets, looked in before the usual places. */
    datasetDirs: env.WHITTLE_DATA_DIR === undefined ? [] : [env.WHITTLE_DATA_DIR],
    /** Holds a folder for each running job. */
    workDir: env.WHITTLE_WORK_DIR,
    kinds: env.WHITTLE_KINDS,
    concurrency: env.WHITTLE_CONCURRENCY,
    /** TensorFlow's threads in each child: this machine's cores shared out among the jobs that run at a time. */
    threads: env.WHITTLE_THREADS ?? Math.max(1, Math.floor(availableParallelism() / env.WHITTLE_CONCURRENCY)),
    /** Whether a process that has loaded TensorFlow is kept ready for the next job. */
    spare: env.WHITTLE_SPARE,
    requireGpu: env.WHITTLE_REQUIRE_GPU,
    graceMs: env.WHITTLE_GRACE_SECONDS * 1000,
    drainMs: env.WHITTLE_DRAIN_SECONDS * 1000,
    limits: {
      memoryBytes: env.WHITTLE_JOB_MEMORY_BYTES,
      silentMs: env.WHITTLE_SILENT_SECONDS * 1000,
      stallMs: env.WHITTLE_STALL_SECONDS * 1000,
    },
    /** How long ended jobs are kept: the last worker to compare records with BullMQ decides. */
    retention: {
      completed: env.WHITTLE_KEEP_COMPLETED,
      failed: env.WHITTLE_KEEP_FAILED,
      cancelled: env.WHITTLE_KEEP_CANCELLED,
    },
    /** How long a claim on a job holds without being renewed; lapsed ones of others are looked for five times as often. */
    lockDurationMs: env.WHITTLE_LEASE_SECONDS * 1000,
    stalledIntervalMs: env.WHITTLE_LEASE_SECONDS * 200,
    quarantineAfter: env.WHITTLE_QUARANTINE_AFTER,
    logLevel: env.WHITTLE_LOG_LEVEL,
  }));

export type WorkerConfig = z.output<typeof schema> & {
  /** What the children inherit; TensorFlow's settings are added to it. */
  childEnv: Record<string, string | undefined>;
};

const commandLine = z.object({ kinds: z.string().optional(), concurrency: z.string().optional() });

/**
 * Reads `--kinds a,b` and `--concurrency N`, and the rest from the environment; an option wins over its variable.
 * @throws AppError `invalid_request` that names the variable or the option.
 */
export function readConfig(argv: string[], environment: NodeJS.ProcessEnv = process.env): WorkerConfig {
  const { options } = parseCommandLine(commandLine, argv);
  const env = {
    ...presentVariables(environment),
    ...(options.kinds !== undefined && { WHITTLE_KINDS: options.kinds }),
    ...(options.concurrency !== undefined && { WHITTLE_CONCURRENCY: options.concurrency }),
  };
  return { ...parse(schema, env, "The worker's configuration"), childEnv: { ...environment } };
}
