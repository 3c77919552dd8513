import { tf } from "@whittle/engine";
import { loadDataset, toFloat } from "@whittle/zoo";
import type { DataName, TrainCase } from "./cases.ts";

/** The first training samples of a data set. */
export interface Samples {
  /** [n, ...], float32 as the models take them. */
  x: tf.Tensor;
  y: Int32Array;
  /** What a model is built for. */
  shape: { inputShape: number[]; classes: number; vocabulary?: number };
}

/** The samples that the cases need, each data set once. The caller disposes x. */
export async function loadSamples(cases: TrainCase[]): Promise<Map<DataName, Samples>> {
  const loaded = new Map<DataName, Samples>();
  for (const name of new Set(cases.map(({ data }) => data))) {
    const count = Math.max(...cases.flatMap(({ data, samples }) => (data === name ? samples : [])));
    const { train, inputShape, labels, vocabulary, preprocessing } = await loadDataset(name, {
      limit: { train: count, test: 1 },
    });
    const x = tf.tensor(toFloat(train, preprocessing), [count, ...inputShape]);
    const shape = { inputShape, classes: labels.length, ...(vocabulary && { vocabulary: vocabulary.length }) };
    loaded.set(name, { x, y: train.y, shape });
  }
  return loaded;
}
