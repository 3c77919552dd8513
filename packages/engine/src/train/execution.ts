import type { Execution, Precision } from "@whittle/contracts";
import { multipliesBfloat16 } from "../runtime/bfloat16.ts";
import { nativeBackend } from "../runtime/native.ts";
import { tf } from "../tf.ts";

export type { Execution } from "@whittle/contracts";

/** What the choice depends on besides the model. */
export interface Plan {
  /** Of the whole training, those done before an interruption included. */
  steps: number;
  /** Whether the caller wants it op by op. */
  eager?: boolean | undefined;
  /** Batches of a step. */
  accumulate?: number;
  /** What the caller wants; float32 takes its place op by op and where it would not be faster. */
  precision?: Precision;
}

/** Layers that XLA makes faster. It slows convolutions down, and other layers have not been measured with `fit`. */
const denseLayers = new Set(["InputLayer", "Flatten", "Reshape", "Dense", "Activation", "ReLU", "Dropout"]);

/** With more weights the time goes into arithmetic, where XLA gains nothing. */
const mostWeights = 500_000;

/** XLA takes about a second before the first step. */
const leastSteps = 2_000;

/**
 * Chooses by the model and the settings alone, never by a measurement: XLA rounds otherwise, and the same seed must give the same
 * weights in every run and after every interruption.
 */
export function chooseExecution(model: tf.LayersModel, plan: Plan): Execution {
  const { steps, eager = false, accumulate = 1 } = plan;
  const precision = plan.precision && multipliesBfloat16() ? plan.precision : "float32";
  const opByOp = (reason: string): Execution => ({ mode: "eager", reason, precision: "float32" });
  if (eager) return opByOp("asked for");
  const native = nativeBackend();
  if (!native) return opByOp(`the ${tf.getBackend()} backend has no graphs`);
  const graph = (reason: string): Execution => ({ mode: "graph", reason, precision });
  if (precision !== "float32") return graph("XLA is used with float32 only");
  if (native.isUsingGpuDevice) return graph("XLA is not used on a GPU");
  if (accumulate > 1) return graph("with gradients summed over batches, steps by XLA were not repeatable");
  const other = model.layers.find((layer) => !denseLayers.has(layer.getClassName()));
  if (other) return graph(`XLA is for dense layers, not ${other.getClassName()}`);
  const weights = model.countParams();
  if (weights > mostWeights) return graph(`XLA gains nothing on ${weights} weights`);
  if (steps < leastSteps) return graph(`${steps} steps are too few for XLA, which takes ${leastSteps} to pay`);
  return { mode: "graph-xla", precision, reason: `a dense model of ${weights} weights and ${steps} steps` };
}
