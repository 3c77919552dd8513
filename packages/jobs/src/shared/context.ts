import { AppError, type ArtifactDraft } from "@whittle/contracts";
import type { ArtifactStore } from "@whittle/store";

/** What a running job may use, and how it tells what it does. */
export interface JobContext {
  store: Pick<ArtifactStore, "manifest" | "readFile">;
  signal: AbortSignal;
  /** This job's own folder: empty at first, and as an earlier attempt on this machine left it. */
  workDir: string;
  /** Folders that hold data sets, looked in before the usual places. */
  datasetDirs: string[];
  /** How much is done, 0 to 1, and what is being done now ("epoch 3/5"). */
  progress(fraction: number, stage: string): void;
  log(level: "debug" | "info" | "warn" | "error", message: string): void;
  /** Values at a step of a series, such as the loss of an epoch. */
  metrics(series: string, step: number, values: Record<string, number>): void;
}

/** What a kind's `run` gives back: `artifact` where the kind publishes. */
export interface JobOutcome {
  artifact?: ArtifactDraft;
  metrics: Record<string, unknown>;
}

/** The reason a job was stopped for, as an AppError: `cancelled` where the one who stopped it gave none. */
export function abortError({ reason }: AbortSignal): AppError {
  if (reason instanceof AppError) return reason;
  return new AppError("cancelled", "the job was cancelled", { cause: reason });
}

/** @throws AppError when the job was stopped. */
export function stopIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw abortError(signal);
}
