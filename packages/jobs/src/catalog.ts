/** What each kind of job takes and gives. Zod only: loads neither TensorFlow nor ONNX Runtime. */
import type { JobDefinition } from "@whittle/contracts";
import { catalog as generated } from "./generated/catalog.ts";

export const catalog: Readonly<Record<string, JobDefinition>> = generated;

/** The catalog with each kind's own parameters, for who knows the kind when it is written: the SDK. */
export type Catalog = typeof generated;

export type { DistillParams } from "./distill/contract.ts";
export type { EvaluateParams } from "./evaluate/contract.ts";
export type { PruneParams } from "./prune/contract.ts";
export type { QuantizeParams } from "./quantize/contract.ts";
export type { TrainParams } from "./train/contract.ts";
