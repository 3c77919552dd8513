import { parse, trainingSettings } from "@whittle/contracts";
import type { tf } from "../tf.ts";
import { Run } from "./run.ts";
import type { FitOptions, FitResult, FitSettings } from "./types.ts";

/**
 * Trains a classifier whose outputs are logits, by mini-batches in an order that the seed fixes. The same seed, data and machine give
 * the same weights, bit for bit, also when the training was interrupted and went on from a checkpoint.
 * @throws AppError `invalid_request` for wrong settings or data, or a loss that is not finite; `cancelled` when the signal is aborted;
 * `corrupt` for a checkpoint of another model or optimizer, unless its hooks take a refusal.
 */
export async function fit(model: tf.LayersModel, options: FitOptions): Promise<FitResult> {
  const run = new Run(model, settingsOf(options), options);
  try {
    await run.resume();
    while (!run.finished) await trainEpoch(run);
    run.finish();
    return run.result();
  } finally {
    run.dispose();
  }
}

async function trainEpoch(run: Run): Promise<void> {
  run.beginEpoch();
  while (run.inEpoch) {
    await run.pause();
    run.trainBatch();
  }
  await run.endEpoch();
}

function settingsOf(options: FitOptions): FitSettings {
  const names = Object.keys(trainingSettings.shape);
  const given = Object.entries(options).filter(([name]) => names.includes(name));
  return parse(trainingSettings, Object.fromEntries(given), "The training");
}
