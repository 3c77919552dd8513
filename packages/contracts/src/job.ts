import { z } from "zod";
import { mustBe } from "./parse.ts";
import { aliasName, modelName, parseModelReference } from "./references.ts";
import type { SerializedError } from "./errors.ts";

/**
 * What a job kind declares about itself; its maths is elsewhere. Everything that treats jobs alike (API, queue, CLI, docs)
 * works from this and never from the kind's name.
 */
export interface JobDefinition<K extends string = string, P extends z.ZodType = z.ZodType> {
  kind: K;
  title: string;
  description: string;
  /** The parameters that a caller sends; every default is in it, and any other is refused. */
  params: P;
  /**
   * The parameters that name a model, with the role of that model in what comes out. `teachers.*.model` stands for the field `model` of
   * each item of the list `teachers`.
   */
  models: Readonly<Record<string, "base" | "teacher">>;
  /** The parameters that name an upload by its digest; the upload stays while a job that names it has not ended. */
  uploads?: readonly string[];
  /** Whether a finished job publishes an artifact. */
  publishes: boolean;
  /** A small valid example, shown in the API docs. */
  example: z.input<P>;
}

/** Declares a job kind. */
export function defineJob<const K extends string, P extends z.ZodType>(
  definition: JobDefinition<K, P>,
): JobDefinition<K, P> {
  return definition;
}

/** A model that a job's parameters name: `param` is the path to where they do (`model`, `teachers.0.model`). */
export interface NamedModel {
  param: string;
  reference: string;
  role: "base" | "teacher";
}

/** Every model that a job's parameters name, in the order in which the kind declares them. */
export function modelReferences(definition: JobDefinition, params: Record<string, unknown>): NamedModel[] {
  return Object.entries(definition.models).flatMap(([path, role]) =>
    valuesAt(params, path.split(".")).flatMap(([param, reference]) =>
      typeof reference === "string" ? [{ param, reference, role }] : [],
    ),
  );
}

/** Every upload that a job's parameters name: where they do, and its digest. */
export function uploadReferences(
  { uploads = [] }: JobDefinition,
  params: Record<string, unknown>,
): { param: string; digest: string }[] {
  return uploads.flatMap((path) =>
    valuesAt(params, path.split(".")).flatMap(([param, digest]) =>
      typeof digest === "string" ? [{ param, digest }] : [],
    ),
  );
}

/** Parameters with other references in the place of some. @param replacements by the `param` of {@link modelReferences}. */
export function replaceReferences(
  params: Record<string, unknown>,
  replacements: Record<string, string>,
): Record<string, unknown> {
  const replace = (value: unknown, at: string): unknown => {
    if (Array.isArray(value)) return value.map((item, index) => replace(item, `${at}.${index}`));
    if (typeof value !== "object" || value === null) return replacements[at] ?? value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, replace(inner, `${at}.${key}`)]));
  };
  return Object.fromEntries(Object.entries(params).map(([key, value]) => [key, replace(value, key)]));
}

/** What lies at a path, with where it was found: `*` stands for every item of a list. */
function valuesAt(value: unknown, [key, ...rest]: string[], at: string[] = []): [path: string, value: unknown][] {
  if (key === undefined) return [[at.join("."), value]];
  if (key === "*")
    return Array.isArray(value) ? value.flatMap((item, index) => valuesAt(item, rest, [...at, String(index)])) : [];
  if (typeof value !== "object" || value === null) return [];
  return valuesAt(new Map<string, unknown>(Object.entries(value)).get(key), rest, [...at, key]);
}

/** Names of the pipeline steps that these parameters refer to. */
export function stepReferences(definition: JobDefinition, params: Record<string, unknown>): string[] {
  return modelReferences(definition, params).flatMap(({ reference }) => {
    const parsed = parseModelReference(reference);
    return parsed?.kind === "step" ? [parsed.step] : [];
  });
}

/** How a finished artifact is named: a new version of `name`, and optionally an alias moved to it. */
export const outputSpec = z.strictObject({
  name: modelName,
  alias: aliasName.optional(),
});

const webhookUrl = z.url({
  protocol: /^https?$/,
  error: ({ input }) => mustBe("a URL that starts with http:// or https://", input),
});
const webhook = z.strictObject({ url: webhookUrl });

/** Options of a submission that are the same for every kind. */
export const jobOptions = z.object({
  output: outputSpec.optional().meta({ description: "Name (and alias) to publish under; by default <kind>-<job id>." }),
  priority: z.int().min(1).max(1000).default(100).meta({ description: "Lower runs first." }),
  attempts: z
    .int()
    .min(1)
    .max(20)
    .default(3)
    .meta({ description: "How often a job that fails for a passing reason is run." }),
  timeoutSeconds: z.int().min(1).max(604_800).default(86_400).meta({ description: "Wall-clock limit of one attempt." }),
  fresh: z.boolean().optional().meta({
    description:
      "Run even where the same was made before; without it that artifact is published again under the new name.",
  }),
  webhook: webhook.optional().meta({
    description: "Told of the job's start, progress and end by signed messages (Standard Webhooks).",
  }),
});

/** A job as it lies in the queue and as a child process gets it. */
export const jobEnvelope = z.object({
  id: z.string(),
  kind: z.string(),
  params: z.record(z.string(), z.unknown()),
  output: outputSpec,
  timeoutSeconds: z.int().positive(),
  fresh: z.boolean().optional(),
  createdAt: z.iso.datetime(),
  submittedBy: z.string(),
  pipeline: z.object({ id: z.string(), step: z.string(), steps: z.record(z.string(), z.string()) }).optional(),
});

/** What a finished job returns. `metrics` are the artifact's, or the evaluation's where nothing is published. */
export const jobResult = z.object({
  artifact: z.object({ name: modelName, version: z.int().positive(), digest: z.string() }).optional(),
  metrics: z.record(z.string(), z.unknown()),
  /** The job that made the artifact, and as what, where this one would have made the same and did not run. */
  cached: z.object({ jobId: z.string(), name: modelName, version: z.int().positive() }).optional(),
});

export const jobState = z.enum(["waiting", "blocked", "running", "completed", "failed", "cancelled"]);

export type JobOptions = z.infer<typeof jobOptions>;
export type OutputSpec = z.infer<typeof outputSpec>;
/** `pipeline.steps` maps every step's name to its job id, so that a child can find what the steps before it made. */
export type JobEnvelope = z.infer<typeof jobEnvelope>;
export type JobResult = z.infer<typeof jobResult>;
/** `blocked`: waits for an earlier step of its pipeline. */
export type JobState = z.infer<typeof jobState>;

/** What a job's process has used: CPU time of all its threads, and the most memory it held at a time. */
export const jobResources = z.object({ cpuSeconds: z.number().nonnegative(), peakRssBytes: z.int().nonnegative() });

/**
 * How one start of a job on a worker went. `crashed`: the job's process died; `lost`: its worker died or lost its claim on the job;
 * `drained`: the worker left and gave the job back.
 */
export const runOutcome = z.enum(["completed", "failed", "crashed", "lost", "drained", "cancelled"]);

export type JobResources = z.infer<typeof jobResources>;
export type RunOutcome = z.infer<typeof runOutcome>;

/** One start of a job on a worker; `epoch` counts the starts of the job. Without `outcome` it is under way. */
export interface JobRun {
  epoch: number;
  worker: string;
  startedAt: string;
  endedAt?: string | undefined;
  outcome?: RunOutcome | undefined;
  error?: SerializedError | undefined;
  resources?: JobResources | undefined;
}

/** A job as the API shows it. Times are ISO 8601 in UTC. */
export interface JobView {
  id: string;
  kind: string;
  state: JobState;
  params: Record<string, unknown>;
  output: OutputSpec;
  pipeline?: { id: string; step: string };
  progress: { fraction: number; stage: string };
  /** Runs that completed, or failed with an error of the job itself; only these use up `attempts`. */
  attemptsMade: number;
  /** Runs whose process or worker died. */
  lostRuns: number;
  /** Runs that a leaving worker gave back. */
  drains: number;
  /** The last starts of the job, oldest first. */
  runs: JobRun[];
  createdAt: string;
  startedAt?: string;
  finishedAt?: string;
  worker?: string;
  result?: JobResult;
  error?: SerializedError;
}
