import { parseModelReference, scopes } from "@whittle/contracts";
import { availableParallelism } from "node:os";
import { z } from "zod";

const served = z.string().refine(
  (reference) => {
    const kind = parseModelReference(reference)?.kind;
    return kind !== undefined && kind !== "digest" && kind !== "step";
  },
  { error: "must be name, name@alias or name@version" },
);

/** Everything that the serving app can be told, with its defaults. */
export const serveConfig = z.object({
  host: z.string().default("127.0.0.1"),
  /** 0: any free port. */
  port: z.int().min(0).max(65_535).default(7701),
  /** Who sends one of these as Bearer may ask; with none everybody may. */
  keys: z.array(z.object({ key: z.string(), scope: z.enum(scopes) })).default([]),
  /** Address of the artifact store. */
  store: z.string().default(".whittle/store"),
  /** What is loaded at the start and kept: `name`, `name@alias` or `name@version`. */
  models: z.array(served).default([]),
  /** Whether a model is loaded when it is first asked for, and how many such are kept. */
  onDemand: z.boolean().default(true),
  maxOnDemand: z.int().min(1).default(16),
  /** Inference threads; each holds every model. And the threads of one operator within each. */
  threads: z
    .int()
    .min(1)
    .max(256)
    .default(() => Math.min(4, availableParallelism())),
  intraOpThreads: z.int().min(1).max(256).default(1),
  /** Dynamic batching: samples in one call of a model (1: off), and how long a request waits for others when the model is busy. */
  maxBatch: z.int().min(1).max(65_536).default(32),
  maxDelayMs: z.number().min(0).max(1000).default(2),
  /** Requests of one model that may wait; more are answered with 503. */
  maxQueue: z.int().min(1).default(512),
  /** Explanations at a time (0: none are answered); more are answered with 503. And the samples that a model is run on for one. */
  maxExplanations: z.int().min(0).default(1),
  maxEvaluations: z.int().min(2).default(20_000),
  /** How often the store is looked at for new versions and moved aliases. */
  pollMs: z.int().min(10).default(2000),
  /** Bytes of one request. */
  bodyLimit: z
    .int()
    .min(1024)
    .default(32 * 1024 * 1024),
  /** How long requests in flight may take after the server was told to stop. */
  drainMs: z.int().min(0).default(10_000),
});

export type ServeConfig = z.output<typeof serveConfig>;
