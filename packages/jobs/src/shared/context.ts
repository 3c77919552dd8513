import { AppError, type ArtifactDraft } from "@whittle/contracts";
import type { ArtifactStore } from "@whittle/store";
import type { Dataset } from "@whittle/zoo";

/** What a running job may use, and how it tells what it does. */
export interface JobContext {
  store: Pick<ArtifactStore, "manifest" | "readFile" | "readContent" | "scratch">;
  signal: AbortSignal;
  /** This run's own folder: empty, but for the file that an earlier run of the job gave to `keep` last. */
  workDir: string;
  /** Makes a file of `workDir`, as it is now, what the job's next run finds there, on whatever machine. */
  keep(path: string): Promise<void>;
  /**
   * A data set, whole; read once.
   * @throws AppError `unsupported` when this machine does not have it; `not_found` when it is an uploaded one that is not in the store.
   */
  dataset(name: string): Promise<Dataset>;
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
