import { splitIndices } from "@whittle/engine";
import { firstSamples, type Dataset, type SampleLimit, type Split } from "@whittle/zoo";
import { stopIfAborted, type JobContext } from "./context.ts";
import { refuse, type Artifact } from "./model.ts";

interface DataChoice {
  dataset?: string;
  limit?: SampleLimit;
}

/** Loads a data set. @throws AppError `unsupported` when this machine does not have it. */
export async function openDataset(context: JobContext, name: string, { limit }: DataChoice): Promise<Dataset> {
  stopIfAborted(context.signal);
  const data = firstSamples(await context.dataset(name), limit);
  const { train, test } = data;
  context.log("info", `data set ${name}: ${train.count} training and ${test.count} test samples`);
  return data;
}

/** Loads the data set that the parameters name, or else the one that the model was made with. */
export function openDatasetOf(context: JobContext, artifact: Artifact, choice: DataChoice): Promise<Dataset> {
  const name = choice.dataset ?? artifact.manifest.data?.name;
  if (name === undefined) refuse("dataset", "the model does not say which data set it was made with: name one");
  return openDataset(context, name, choice);
}

/**
 * Holds back a share of a data set's `whole` training samples, of which the split has the first. The samples of a smaller share are
 * among those of a larger one, and a limited split holds back those of them that it has: so a student and a pruned model are judged on
 * samples that their teacher or base was not trained on, whatever the seeds and the limits, unless their share is larger than its was.
 * The share of a limited split is therefore only about the one asked for.
 * @throws AppError `invalid_request` when no sample is left to train on.
 */
export function holdOut(split: Split, share: number, whole: number): { train: Split; validation?: Split } {
  const drawn = splitIndices(whole, share, 0);
  const [train, validation] = [drawn.train, drawn.validation].map((side) => side.filter((at) => at < split.count));
  if (!train?.length) refuse("limit", "leaves no sample to train on: use more samples or a smaller validationSplit");
  if (!validation?.length) return { train: split };
  return { train: pick(split, train), validation: pick(split, validation) };
}

/** The samples at these places. */
export function pick({ x, y, count }: Split, indices: Int32Array): Split {
  const size = x.length / count;
  const picked =
    x instanceof Uint8Array ? new Uint8Array(indices.length * size) : new Float32Array(indices.length * size);
  for (const [to, from] of indices.entries()) picked.set(x.subarray(from * size, (from + 1) * size), to * size);
  return { x: picked, y: Int32Array.from(indices, (i) => y[i] ?? 0), count: indices.length };
}
