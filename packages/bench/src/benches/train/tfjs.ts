import { fit, tf, type FitOptions } from "@whittle/engine";
import { buildModel } from "@whittle/zoo";
import type { TrainCase } from "./cases.ts";
import type { Samples } from "./samples.ts";

/** tfjs on Node draws progress bars otherwise. */
const silent = { verbose: 0 };

/** Epochs that are timed, after one that is not: it traces, allocates and warms the caches. */
const timedEpochs = 2;

/** Samples per second of Whittle's training loop, without validation. */
export async function trainWhittle(trainCase: TrainCase, data: Samples, mode?: FitOptions["mode"]): Promise<number> {
  const model = buildCase(trainCase, data);
  const x = tf.slice(data.x, 0, trainCase.samples);
  const { epochs } = await fit(model, {
    x,
    y: data.y.subarray(0, trainCase.samples),
    epochs: 1 + timedEpochs,
    batchSize: trainCase.batchSize,
    optimizer: { type: "adam" },
    restoreBest: false,
    ...(mode && { mode }),
  });
  x.dispose();
  model.dispose();
  return trainCase.samples / Math.min(...epochs.slice(1).map((epoch) => epoch.seconds));
}

/** Samples per second of tfjs' own `model.fit`. */
export async function trainStock(trainCase: TrainCase, data: Samples): Promise<number> {
  const model = buildCase(trainCase, data);
  const { stockSamples, batchSize } = trainCase;
  const x = tf.slice(data.x, 0, stockSamples);
  const labels = data.y.subarray(0, stockSamples);
  const y = tf.tidy(() => tf.oneHot(tf.tensor1d(labels, "int32"), data.shape.classes).toFloat());
  const optimizer = tf.train.adam(0.001);
  model.compile({ optimizer, loss: (targets, logits) => tf.losses.softmaxCrossEntropy(targets, logits) });
  const times: number[] = [];
  let begin = 0;
  await model.fit(x, y, {
    ...silent,
    epochs: 1 + timedEpochs,
    batchSize,
    callbacks: {
      onEpochBegin: () => void (begin = performance.now()),
      onEpochEnd: () => void times.push((performance.now() - begin) / 1000),
    },
  });
  tf.dispose([x, y]);
  optimizer.dispose();
  model.dispose();
  return stockSamples / Math.min(...times.slice(1));
}

/** Weights that training changes, of which PyTorch's model must have as many. */
export function countTrainable(trainCase: TrainCase, data: Samples): number {
  const model = buildCase(trainCase, data);
  const count = model.trainableWeights.reduce((sum, { shape }) => sum + tf.util.sizeFromShape(shape.map(Number)), 0);
  model.dispose();
  return count;
}

/** The case's model, the same in every call. */
export function buildCase({ family, familyParams }: TrainCase, { shape }: Samples): tf.LayersModel {
  return buildModel(family, familyParams, { ...shape, seed: 1 });
}
