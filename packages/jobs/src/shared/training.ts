import { parse, type Preprocessing, type TrainingSettings } from "@whittle/contracts";
import {
  checkpointFiles,
  fit,
  samplesAt,
  storedCheckpoints,
  tf,
  type Checkpoint,
  type CheckpointHooks,
  type EpochPoint,
  type FitOptions,
  type FitResult,
  type Inputs,
  type RawSamples,
} from "@whittle/engine";
import type { Dataset, Split } from "@whittle/zoo";
import { datasetName, datasets } from "@whittle/zoo/catalog";
import type { JobContext } from "./context.ts";
import { holdOut } from "./data.ts";

/** The samples that a model is fitted to, and those that judge it after each epoch. */
export interface TrainingSamples<X extends Inputs = Inputs> {
  x: X;
  y: Int32Array;
  validation?: { x: X; y: Int32Array };
}

/** Splits a data set's training samples. They stay as they are stored and become what the model sees batch by batch. */
export function trainingSamples(
  data: Dataset,
  preprocessing: Preprocessing,
  validationSplit: number,
): TrainingSamples<RawSamples> {
  const { samples } = datasets[parse(datasetName, data.name, "The data set")];
  const { train, validation } = holdOut(data.train, validationSplit, samples.train);
  const side = ({ x: values, y }: Split) => ({ x: { values, shape: data.inputShape, ...preprocessing }, y });
  return { ...side(train), ...(validation && { validation: side(validation) }) };
}

/** The same as one tensor each, for kinds that do more with them than train. */
export interface TrainingTensors extends TrainingSamples<tf.Tensor> {
  dispose(): void;
}

/** Splits a data set's training samples and turns them into what the model sees. */
export function trainingTensors(data: Dataset, preprocessing: Preprocessing, validationSplit: number): TrainingTensors {
  const { x, y, validation } = trainingSamples(data, preprocessing, validationSplit);
  const side = (raw: RawSamples, labels: Int32Array) => ({
    x: samplesAt(
      raw,
      labels.map((_, at) => at),
    ),
    y: labels,
  });
  const sides = { ...side(x, y), ...(validation && { validation: side(validation.x, validation.y) }) };
  return { ...sides, dispose: () => tf.dispose([sides.x, ...(sides.validation ? [sides.validation.x] : [])]) };
}

/** What a kind adds to the settings that it was given. */
export interface TrainingExtras extends Pick<
  FitOptions,
  "loss" | "taps" | "lossVariables" | "masks" | "reparametrize" | "beforeStep"
> {
  /** Which of a job's several trainings it is: each has a checkpoint of its own. */
  part?: string;
}

/** The part of a job's progress that is training; loading comes before it, measuring after it. */
const TRAINING = { from: 0.1, to: 0.9 };

/**
 * Fits a model and tells each epoch: progress, a log line, and a point of the series `epoch`. It goes on from the checkpoint in the
 * job's folder where an earlier attempt left one, with the same result as if it had never stopped.
 */
export async function trainModel(
  context: JobContext,
  model: tf.LayersModel,
  { x, y, validation }: TrainingSamples,
  settings: TrainingSettings,
  { part, ...extras }: TrainingExtras = {},
): Promise<FitResult> {
  const { epochs, validationSplit, restoreBest } = settings;
  const { from, to } = TRAINING;
  context.progress(from, `epoch 1/${epochs}`);
  if (validationSplit > 0 && !validation)
    context.log("warn", "too few samples to hold any back: the epochs are judged on the training samples");
  const result = await fit(model, {
    ...settings,
    ...extras,
    x,
    y,
    validation,
    signal: context.signal,
    checkpoint: checkpointOf(context, part),
    onEpoch: (point) => {
      context.log("info", describeEpoch(point, epochs));
      context.metrics("epoch", point.epoch, epochValues(point));
      const stage = point.epoch < epochs ? `epoch ${point.epoch + 1}/${epochs}` : "trained";
      context.progress(from + (to - from) * (point.epoch / epochs), stage);
    },
  });
  context.log("info", describeResult(result, restoreBest && validation !== undefined));
  return result;
}

/** The run's folder holds the last two checkpoints; the newest is kept for the job's next run, which may be on another host. */
function checkpointOf(context: JobContext, part?: string): CheckpointHooks {
  const files = checkpointFiles(context.workDir, part === undefined ? "checkpoint" : `checkpoint-${part}`);
  const write = async (number: number, bytes: Uint8Array): Promise<void> => {
    await files.write(number, bytes);
    await context.keep(files.path(number));
  };
  const warn = (message: string) => context.log("warn", message);
  const stored = storedCheckpoints({ ...files, write }, { warn });
  const load = async (): Promise<Checkpoint | undefined> => {
    const checkpoint = await stored.load();
    if (checkpoint) context.log("info", `an earlier attempt left a checkpoint of step ${checkpoint.step}`);
    return checkpoint;
  };
  return { ...stored, load, refused: ({ message }) => warn(`starting over: ${message}`) };
}

function epochValues({ loss, accuracy, valLoss, valAccuracy, learningRate }: EpochPoint): Record<string, number> {
  const values: Record<string, number> = { loss, accuracy, learningRate };
  if (valLoss !== undefined) values["valLoss"] = valLoss;
  if (valAccuracy !== undefined) values["valAccuracy"] = valAccuracy;
  return values;
}

function describeEpoch({ epoch, loss, accuracy, valLoss, valAccuracy, seconds }: EpochPoint, epochs: number): string {
  const held =
    valAccuracy === undefined ? "" : `; held out: loss ${valLoss?.toFixed(4)}, accuracy ${percent(valAccuracy)}`;
  return `epoch ${epoch}/${epochs} in ${seconds.toFixed(1)} s: loss ${loss.toFixed(4)}, accuracy ${percent(accuracy)}${held}`;
}

function describeResult(
  { epochs, bestEpoch, stoppedEarly, steps, seconds, execution }: FitResult,
  keptBest: boolean,
): string {
  const early = stoppedEarly ? ", stopped early" : "";
  const how = { graph: "as one graph each", "graph-xla": "as one graph each, by XLA", eager: "op by op" }[
    execution.mode
  ];
  const kept = keptBest ? `epoch ${bestEpoch}, the best of ${epochs.length}` : `epoch ${epochs.length}, the last`;
  return `${steps} steps ${how} (${execution.reason}) in ${seconds.toFixed(1)} s${early}; the weights are those of ${kept}`;
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(2)}%`;
}
