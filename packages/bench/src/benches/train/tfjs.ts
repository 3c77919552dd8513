import { fit, tf } from "@whittle/engine";
import { buildModel } from "@whittle/zoo";
import type { TrainCase } from "./cases.ts";

export interface Samples {
  /** [n, 28, 28, 1], float32 in 0..1. */
  x: tf.Tensor4D;
  y: Int32Array;
}

/** tfjs on Node draws progress bars otherwise. */
const silent = { verbose: 0 };

/** Epochs that are timed, after one that is not: it traces, allocates and warms the caches. */
const timedEpochs = 2;

/** Samples per second of Whittle's training loop, without validation. */
export async function trainWhittle(trainCase: TrainCase, data: Samples): Promise<number> {
  const model = build(trainCase);
  const x = tf.slice(data.x, 0, trainCase.samples);
  const { epochs } = await fit(model, {
    x,
    y: data.y.subarray(0, trainCase.samples),
    epochs: 1 + timedEpochs,
    batchSize: trainCase.batchSize,
    optimizer: { type: "adam" },
    restoreBest: false,
  });
  x.dispose();
  model.dispose();
  return trainCase.samples / Math.min(...epochs.slice(1).map((epoch) => epoch.seconds));
}

/** Samples per second of tfjs' own `model.fit`. */
export async function trainStock(trainCase: TrainCase, data: Samples): Promise<number> {
  const model = build(trainCase);
  const x = tf.slice(data.x, 0, trainCase.samples);
  const y = tf.tidy(() => tf.oneHot(tf.tensor1d(data.y.subarray(0, trainCase.samples), "int32"), 10).toFloat());
  const optimizer = tf.train.adam(0.001);
  model.compile({ optimizer, loss: (labels, logits) => tf.losses.softmaxCrossEntropy(labels, logits) });
  const times: number[] = [];
  let begin = 0;
  await model.fit(x, y, {
    ...silent,
    epochs: 1 + timedEpochs,
    batchSize: trainCase.batchSize,
    callbacks: {
      onEpochBegin: () => void (begin = performance.now()),
      onEpochEnd: () => void times.push((performance.now() - begin) / 1000),
    },
  });
  tf.dispose([x, y]);
  optimizer.dispose();
  model.dispose();
  return trainCase.samples / Math.min(...times.slice(1));
}

function build({ family, familyParams }: TrainCase): tf.LayersModel {
  return buildModel(family, familyParams, { inputShape: [28, 28, 1], classes: 10, seed: 1 });
}
