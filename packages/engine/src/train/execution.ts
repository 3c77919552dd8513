import type { Execution, Precision } from "@whittle/contracts";
import { multipliesBfloat16 } from "../runtime/bfloat16.ts";
import { nativeBackend } from "../runtime/native.ts";
import { tf } from "../tf.ts";

export type { Execution } from "@whittle/contracts";

/** What the caller wants; without native TensorFlow steps run op by op. */
export interface Plan {
  /** A graph by default. */
  mode?: Execution["mode"] | undefined;
  /** float32 takes its place where steps are no plain graphs, and where it would not be faster. */
  precision?: Precision;
}

/**
 * Chooses by the plan and the machine alone, never by a measurement: the ways differ in rounding, and the same seed must give the same
 * weights in every run and after every interruption.
 */
export function chooseExecution({ mode, precision: wanted = "float32" }: Plan): Execution {
  const opByOp = (reason: string): Execution => ({ mode: "eager", reason, precision: "float32" });
  if (mode === "eager") return opByOp("asked for");
  if (!nativeBackend()) return opByOp(`the ${tf.getBackend()} backend has no graphs`);
  if (mode === "graph-xla") return { mode, reason: "asked for", precision: "float32" };
  const reason = mode === "graph" ? "asked for" : "measured faster than op by op and than by XLA";
  return { mode: "graph", reason, precision: multipliesBfloat16() ? wanted : "float32" };
}
