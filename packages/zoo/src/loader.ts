import type { LoadSplits } from "./dataset.ts";

/** How a data set is read. */
export interface DatasetLoader {
  /** Whether a folder holds all the files. */
  isHere(folder: string): boolean;
  /** What is looked for, for messages. */
  files?: string[];
  load: LoadSplits;
}

export function defineLoader(loader: DatasetLoader): DatasetLoader {
  return loader;
}
