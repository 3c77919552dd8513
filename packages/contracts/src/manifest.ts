import { z } from "zod";
import { digest, modelName } from "./references.ts";
import { execution } from "./training.ts";

/** Datatype names of the Open Inference Protocol. */
export const datatype = z.enum(["BOOL", "UINT8", "INT8", "INT32", "INT64", "FP32", "FP64"]);

/** One input or output of a model; -1 in `shape` is any size (the batch). */
export const tensorSpec = z.object({
  name: z.string(),
  datatype,
  shape: z.array(z.int().min(-1)),
});

export const signature = z.object({ inputs: z.array(tensorSpec).min(1), outputs: z.array(tensorSpec).min(1) });

/** What a caller must do to raw values before the model sees them: x * scale + offset. */
export const preprocessing = z.object({ scale: z.number(), offset: z.number() });

/** A proportion with its Wilson score interval (95%) on `n` samples. */
export const proportion = z.object({
  value: z.number().min(0).max(1),
  interval: z.tuple([z.number(), z.number()]),
  n: z.int().positive(),
});

/** A class of the test samples, and how many of its samples were recognised. */
const classCount = z.object({ label: z.string(), samples: z.int().nonnegative(), correct: z.int().nonnegative() });

/** How a parent answers the test samples that the model was measured on. */
export const comparison = z.object({
  role: z.enum(["base", "teacher"]),
  digest,
  accuracy: proportion,
  /** Of the parent's file that is served, as those of the model itself; older manifests have the gzipped size alone. */
  bytes: z.int().positive().optional(),
  gzipBytes: z.int().positive(),
  parameters: z.int().nonnegative().optional(),
  macs: z.int().nonnegative().optional(),
  sparsity: z.number().min(0).max(1).optional(),
  perClass: z.array(classCount).optional(),
  /** Samples that only one of the two got right, and the two-sided p of McNemar's exact test. */
  mcNemar: z.object({
    onlyParent: z.int().nonnegative(),
    onlyThis: z.int().nonnegative(),
    pValue: z.number().min(0).max(1),
  }),
});

/** What was measured and is the same for the same seed on the same machine, so it is part of the artifact's digest. */
export const metrics = z.object({
  accuracy: proportion.optional(),
  loss: z.number().optional(),
  perClass: z.array(classCount).optional(),
  comparison: comparison.optional(),
  /** How the same student answers the same test samples after training with the same seed and settings, but without a teacher. */
  control: z
    .object({
      accuracy: proportion,
      mcNemar: z.object({
        onlyControl: z.int().nonnegative(),
        onlyThis: z.int().nonnegative(),
        pValue: z.number().min(0).max(1),
      }),
    })
    .optional(),
  /** Size of the file that is served, as it is and gzipped (level 9), in bytes. */
  bytes: z.int().positive().optional(),
  gzipBytes: z.int().positive().optional(),
  parameters: z.int().nonnegative().optional(),
  /** Multiply-accumulates of one sample. */
  macs: z.int().nonnegative().optional(),
  /** Share of the weights (biases left out) that are exactly zero. */
  sparsity: z.number().min(0).max(1).optional(),
  /** The most different values that the weights of a layer have, where they were clustered. */
  clusters: z.int().positive().optional(),
  /** How the outputs differ from those of the model that this one was made from, on the same test samples. */
  fidelity: z
    .object({
      /** Of one output, and the mean over all. */
      maxDifference: z.number(),
      meanDifference: z.number(),
      /** The share of samples for which both predict the same class. */
      agreement: proportion,
    })
    .optional(),
});

/** Milliseconds of one call. */
const latency = z.object({ p50: z.number(), p95: z.number() });
const latencies = z.object({ b1: latency, b32: latency });

/** What differs from run to run: kept in the version record, outside the digest. */
export const measurements = z.object({
  latencyMs: latencies.optional(),
  /** Of the parent that the metrics compare with, measured in turn with the model in the same run. */
  parentLatencyMs: latencies.optional(),
  /** Whether to use the model in the place of the one that it was made from; the reasons speak against it. */
  recommendation: z.object({ recommended: z.boolean(), reasons: z.array(z.string()) }).optional(),
  /** The machine that the latencies were measured on. */
  cpu: z.object({ model: z.string(), flags: z.array(z.string()), threads: z.int().positive() }).optional(),
  trainingSeconds: z.number().nonnegative().optional(),
  execution: execution.optional(),
});

/** What a file of an artifact is for. `tfjs` is model.json, `weights` its binary, `onnx` what is served, `saved-model` TensorFlow's format. */
export const fileRole = z.enum(["tfjs", "weights", "onnx", "saved-model", "report"]);

export const artifactFile = z.object({
  path: z.string().regex(/^[\w][\w.-]*$/),
  role: fileRole,
  mediaType: z.string(),
  size: z.int().nonnegative(),
  digest,
});

/** The model an artifact was made from or with. */
export const parent = z.object({ role: z.enum(["base", "teacher"]), digest });

/** The `family` of a model that was not built here but imported; its `familyParams` hold the digest of the `file` that it came from. */
export const importedFamily = "imported";

/** The part of a manifest that says what the model is. */
export const modelConfig = z.object({
  /**
   * A family of the zoo and the parameters that it was built with, or {@link importedFamily}; what was changed since is in model.json and
   * `compression` alone.
   */
  family: z.string(),
  familyParams: z.record(z.string(), z.unknown()),
  signature,
  preprocessing,
  labels: z.array(z.string()).optional(),
  /** What each token id stands for, where the input is a sequence of them. */
  vocabulary: z.array(z.string()).optional(),
  /** What was done to the weights, as far as later steps and readers must know. */
  compression: z
    .object({
      prunedSparsity: z.number().optional(),
      /** Channels that each layer has left, where the family's parameters don't say so: the layers of model.json hold. */
      channels: z.record(z.string(), z.int().positive()).optional(),
      quantization: z
        .object({
          /** The most bits that a weight has, 16 for float16. */
          bits: z.int(),
          granularity: z.string(),
          scheme: z.string(),
          /** Without it: `static`. */
          method: z.string().optional(),
          /** Bits that a quantized weight takes in the file, on average. */
          storedBits: z.number().optional(),
          /** The share of the weights that it covers, by their number; the others are float. Biases and other vectors don't count. */
          covered: z.number().min(0).max(1).optional(),
          /** The layers whose bits are not `bits`: theirs, or "float". */
          layers: z.record(z.string(), z.union([z.int(), z.literal("float")])).optional(),
          calibrator: z.string().optional(),
          rounding: z.string().optional(),
          biasCorrection: z.boolean().optional(),
          equalized: z.boolean().optional(),
        })
        .optional(),
    })
    .optional(),
});

/**
 * An immutable artifact. Its digest is the SHA-256 of {@link encodeManifest}; whatever may differ between two runs with the same
 * seed on the same machine (times, job ids, latencies) is in the {@link versionRecord} instead.
 */
export const manifest = z.object({
  schemaVersion: z.literal(1),
  config: modelConfig,
  metrics,
  /** The job that made it: kind and parameters, with every model reference replaced by its digest. */
  job: z.object({ kind: z.string(), params: z.record(z.string(), z.unknown()) }),
  data: z.object({ name: z.string(), digest }).optional(),
  parents: z.array(parent),
  versions: z.record(z.string(), z.string()),
  files: z.array(artifactFile).min(1),
});

/** `name@version` in the store. Create-only. */
export const versionRecord = z.object({
  name: modelName,
  version: z.int().positive(),
  digest,
  jobId: z.string(),
  /** The start of the job that published it: 1 for the first, one more for each time the job was started again. */
  epoch: z.int().positive().optional(),
  createdAt: z.iso.datetime(),
  measurements,
});

/** A generation of `name@alias` in the store. Create-only: moving the alias creates the next one. */
export const aliasRecord = z.object({
  version: z.int().positive(),
  digest,
  generation: z.int().positive(),
  actor: z.string(),
  at: z.iso.datetime(),
});

/** That `name@version` was deleted, in the store. Create-only: the number is not given again. */
export const deletionRecord = z.object({
  name: modelName,
  version: z.int().positive(),
  digest,
  actor: z.string(),
  at: z.iso.datetime(),
});

export type Datatype = z.infer<typeof datatype>;
export type TensorSpec = z.infer<typeof tensorSpec>;
export type Signature = z.infer<typeof signature>;
export type Preprocessing = z.infer<typeof preprocessing>;
export type Proportion = z.infer<typeof proportion>;
export type Comparison = z.infer<typeof comparison>;
export type Metrics = z.infer<typeof metrics>;
export type Measurements = z.infer<typeof measurements>;
export type FileRole = z.infer<typeof fileRole>;
export type ArtifactFile = z.infer<typeof artifactFile>;
export type ModelConfig = z.infer<typeof modelConfig>;
export type Manifest = z.infer<typeof manifest>;
export type VersionRecord = z.infer<typeof versionRecord>;
export type AliasRecord = z.infer<typeof aliasRecord>;
export type DeletionRecord = z.infer<typeof deletionRecord>;

/** What a job hands over to be published: a manifest whose files still carry their bytes. */
export interface ArtifactDraft extends Omit<Manifest, "schemaVersion" | "files"> {
  files: { path: string; role: FileRole; mediaType: string; bytes: Uint8Array }[];
  measurements: Measurements;
}

/**
 * Whether the answer to a sample depends on what else is in the call of the model: dynamic quantization takes the range of a whole batch.
 * Imported models are refused where it does.
 */
export function mixesSamples({ compression }: Pick<ModelConfig, "compression">): boolean {
  return compression?.quantization?.method === "dynamic";
}

/** Canonical JSON: keys sorted at every level, no white space. The same value always gives the same bytes. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    inner !== null && typeof inner === "object" && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

/** The bytes of a manifest blob. */
export function encodeManifest(value: Manifest): Uint8Array {
  return new TextEncoder().encode(canonicalJson(value));
}
