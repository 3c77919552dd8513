import type { NewJobEvent } from "@whittle/contracts";
import type { ArtifactStore } from "@whittle/store";

/** What the process that runs a job gives it. */
export interface JobHost {
  store: ArtifactStore;
  /** Stops the job; an AppError as its reason is what the job fails with, else `cancelled`. */
  signal: AbortSignal;
  emit: (event: NewJobEvent) => void;
  /** This run's own folder. It is empty, but for the checkpoint that the run goes on from. */
  workDir: string;
  /** Makes a file of the folder the checkpoint that the next run goes on from, wherever that runs. */
  keep?: (path: string) => Promise<void>;
  /** Counts the job's starts; it is written down with what is published. */
  epoch?: number;
  /** @throws AppError when this run must not publish any more. */
  mayPublish?: () => Promise<void>;
  /** Folders that hold data sets, looked in before the usual places. */
  datasetDirs?: string[];
}
