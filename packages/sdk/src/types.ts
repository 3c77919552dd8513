import type { AliasRecord, Datatype, JobOptions, JobView, Preprocessing, TensorSpec } from "@whittle/contracts";
import type { Catalog } from "@whittle/jobs/catalog";
import type { z } from "zod";

/** A job kind that this version of Whittle knows. */
export type Kind = keyof Catalog;

/** What a caller sends as a kind's parameters; what has a default may be left out. */
export type Params<K extends Kind> = z.input<Catalog[K]["params"]>;

/** Options of a submission; `idempotencyKey` makes sending it twice the same as sending it once. */
export type SubmitOptions = Partial<JobOptions> & { idempotencyKey?: string };

/** One step of a pipeline, its parameters typed by its kind. */
export type Step = { [K in Kind]: { step: string; kind: K; params: Params<K> } & Partial<JobOptions> }[Kind];

export interface JobPage {
  jobs: JobView[];
  /** Where the next page begins; absent on the last one. */
  cursor?: string;
}

export interface JobFilter {
  kind?: string;
  state?: string;
  limit?: number;
  cursor?: string;
}

export interface ModelView {
  name: string;
  versions: number[];
  aliases: Record<string, AliasRecord>;
}

export interface KindView {
  kind: string;
  title: string;
  description: string;
  /** Whether a finished job publishes an artifact. */
  publishes: boolean;
  /** The parameters that name a model, with what that model is to the one that comes out. */
  models: Record<string, "base" | "teacher">;
  /** JSON Schema of the parameters. */
  params: Record<string, unknown>;
  example: unknown;
}

export interface DatasetView {
  name: string;
  title: string;
  description: string;
  licence: string;
  inputShape: number[];
  /** What each token id of a sequence stands for. */
  vocabulary?: string[];
  labels: string[];
  /** What turns the raw values into what models see. */
  preprocessing: Preprocessing;
  samples: { train: number; test: number };
  /** Ids of the workers that can read it. */
  workers: string[];
}

export interface FamilyView {
  name: string;
  title: string;
  description: string;
  /** JSON Schema of `familyParams`. */
  params: Record<string, unknown>;
}

export interface LineageNode {
  digest: string;
  names: string[];
  role?: string;
  parents: LineageNode[];
}

/** A tensor of the Open Inference Protocol; `data` is row-major. */
export interface InferTensor {
  name: string;
  datatype: Datatype;
  shape: number[];
  data: number[];
}

/** An input may be a typed array. */
export type InferInput = Omit<InferTensor, "data"> & { data: ArrayLike<number> };

export interface InferResponse {
  model_name: string;
  model_version?: string;
  outputs: InferTensor[];
}

export interface ExplainParameters {
  /** The index or the label of a class; by default the one that the model predicts. */
  class?: number | string;
  /** What is shared out among the parts; by default `probability`, the softmax of the logits. */
  output?: "probability" | "logit";
  /** The side of a patch, or how many tokens or columns belong together. */
  patch?: number;
  /** The most samples to run the model on (2000). */
  evaluations?: number;
  /** What stands for a part that is left out, as the model sees it: one number, or a whole sample. */
  baseline?: number | ArrayLike<number>;
  seed?: number;
}

/** An explanation; its `values` add up to `value - baseline_value`. */
export interface ExplainResponse {
  model_name: string;
  model_version: string;
  class: number;
  label?: string;
  output: "probability" | "logit";
  /** The output for the class, of the sample and of the baseline. */
  value: number;
  baseline_value: number;
  /** What the baseline is, in words. */
  baseline: string;
  /** The grid in which the values stand, row-major, and how many places of an axis a part has. */
  parts: { kind: "patches" | "tokens" | "columns"; grid: number[]; size: number };
  values: number[];
  /** Of each value, where they are estimates. */
  standard_errors?: number[];
  method: "exact" | "permutations";
  permutations?: number;
  seed?: number;
  /** Samples that the model was run on. */
  evaluations: number;
}

/** A served model as the Open Inference Protocol describes it; -1 in a shape is any size. */
export interface ServedModel {
  name: string;
  versions?: string[];
  platform: string;
  inputs: TensorSpec[];
  outputs: TensorSpec[];
  /** Of the artifact that answers. */
  parameters?: { digest: string; preprocessing: Preprocessing; labels?: string[] };
}
