import type { AppError, Preprocessing, TrainingSettings } from "@whittle/contracts";
import {
  checkpointFiles,
  fit,
  storedCheckpoints,
  type Checkpoint,
  type CheckpointHooks,
  type EpochPoint,
  type Execution,
  type FitOptions,
  type FitResult,
  type Inputs,
  type RawSamples,
  type tf,
} from "@whittle/engine";
import type { Dataset, Split } from "@whittle/zoo";
import type { JobContext } from "./context.ts";
import { holdOut } from "./data.ts";
import { describeExecution, executionOf, isSame, stepsRun, type StepsRun } from "./execution.ts";

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
  const { train, validation } = holdOut(data.train, validationSplit, data.samples.train);
  const side = ({ x: values, y }: Split) => ({ x: { values, shape: data.inputShape, ...preprocessing }, y });
  return { ...side(train), ...(validation && { validation: side(validation) }) };
}

/** How long a training took, over all attempts, and how its steps ran. */
export type Trained = Pick<FitResult, "seconds" | "execution">;

/** What a kind adds to the settings that it was given. */
export interface TrainingExtras extends Pick<
  FitOptions,
  "loss" | "taps" | "lossVariables" | "masks" | "reparametrize" | "beforeStep"
> {
  /** Which of a job's several trainings it is. */
  part?: TrainingPart;
}

/** One of several trainings of a job: each has a checkpoint of its own and the same share of the job's progress. */
export interface TrainingPart {
  /** Before its stages and what it logs: "round 2/3". */
  name: string;
  /** How many come before it, and how many there are. */
  before: number;
  of: number;
  /** Where its epochs are told, by default in the series `epoch`, and the epochs that the series has already. */
  series?: string;
  epochsBefore?: number;
}

/** The part of a job's progress that is training; loading comes before it, measuring after it. */
const TRAINING = { from: 0.1, to: 0.9 };

/**
 * Fits a model and tells each epoch: progress, a log line, and a point of the series `epoch`. It goes on from the checkpoint in the
 * job's folder where an earlier attempt left one, with the same result as if it had never stopped.
 */
export async function trainModel(
  job: JobContext,
  model: tf.LayersModel,
  { x, y, validation }: TrainingSamples,
  settings: TrainingSettings,
  { part, ...extras }: TrainingExtras = {},
): Promise<FitResult> {
  const { epochs, validationSplit, restoreBest } = settings;
  const { from, to } = TRAINING;
  const context = part ? tellingPart(job, part) : job;
  context.progress(from, `epoch 1/${epochs}`);
  if (validationSplit > 0 && !validation)
    context.log("warn", "too few samples to hold any back: the epochs are judged on the training samples");
  const { checkpoint, start, executed } = checkpointOf(context, part);
  const fitted = await fit(model, {
    ...settings,
    ...extras,
    x,
    y,
    validation,
    signal: context.signal,
    checkpoint,
    onStart: (execution) => {
      warnOfPrecision(context, settings, execution);
      start(execution);
    },
    onEpoch: (point) => {
      context.log("info", describeEpoch(point, epochs));
      context.metrics("epoch", point.epoch, epochValues(point));
      const stage = point.epoch < epochs ? `epoch ${point.epoch + 1}/${epochs}` : "trained";
      context.progress(from + (to - from) * (point.epoch / epochs), stage);
    },
  });
  const result = { ...fitted, execution: executed(fitted) };
  context.log("info", describeResult(result, restoreBest && validation !== undefined));
  return result;
}

/** Says so where a training in lower precision is none. */
function warnOfPrecision(context: JobContext, { precision }: TrainingSettings, used: Execution): void {
  if (used.precision === precision) return;
  const why =
    used.mode === "eager" ? `steps run op by op (${used.reason})` : "the processor has no instructions for it";
  context.log("warn", `trains in ${used.precision} and not in ${precision}: ${why}`);
}

function tellingPart(job: JobContext, { name, before, of, series, epochsBefore = 0 }: TrainingPart): JobContext {
  const { from, to } = TRAINING;
  return {
    ...job,
    progress: (fraction, stage) =>
      job.progress(from + (before * (to - from) + fraction - from) / of, `${name}: ${stage}`),
    log: (level, message) => job.log(level, `${name}: ${message}`),
    metrics: (own, step, values) => job.metrics(series ?? own, epochsBefore + step, values),
  };
}

/** A checkpoint that says how the steps that led to it ran; of a version of this program that didn't note it, it doesn't. */
interface NotedCheckpoint extends Checkpoint {
  ran?: StepsRun[];
}

interface Checkpoints {
  checkpoint: CheckpointHooks;
  /** Is to be told how this attempt's steps run, before it goes on from a checkpoint. */
  start: (execution: Execution) => void;
  /** How the steps of all attempts ran. */
  executed: (result: FitResult) => Execution;
}

/** The run's folder holds the last two checkpoints; the newest is kept for the job's next run, which may be on another host. */
function checkpointOf(context: JobContext, part?: TrainingPart): Checkpoints {
  const name = ["checkpoint", ...(part?.name.match(/\w+/g) ?? [])].join("-");
  const files = checkpointFiles(context.workDir, name);
  const write = async (number: number, bytes: Uint8Array): Promise<void> => {
    await files.write(number, bytes);
    await context.keep(files.path(number));
  };
  const warn = (message: string) => context.log("warn", message);
  const stored = storedCheckpoints({ ...files, write }, { warn });
  let [before, now]: [StepsRun[], Execution | undefined] = [[], undefined];
  const load = async (): Promise<Checkpoint | undefined> => {
    const checkpoint: NotedCheckpoint | undefined = await stored.load();
    if (checkpoint) context.log("info", `an earlier attempt left a checkpoint of step ${checkpoint.step}`);
    before = checkpoint?.ran ?? [];
    const last = before.at(-1);
    if (last && now && !isSame(last, now))
      warn(`up to here ${describeExecution(last)}, from here on ${describeExecution(now)}`);
    return checkpoint;
  };
  const save = (checkpoint: Checkpoint): Promise<void> => {
    const noted: NotedCheckpoint = { ...checkpoint, ...(now && { ran: stepsRun(before, now, checkpoint.step) }) };
    return stored.save(noted);
  };
  const refused = ({ message }: AppError): void => {
    before = [];
    warn(`starting over: ${message}`);
  };
  return {
    checkpoint: { ...stored, load, save, refused },
    start: (execution) => void (now = execution),
    executed: ({ steps, execution }) => executionOf(stepsRun(before, execution, steps), execution),
  };
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
  const kept = keptBest ? `epoch ${bestEpoch}, the best of ${epochs.length}` : `epoch ${epochs.length}, the last`;
  return `${steps} ${describeExecution(execution)} in ${seconds.toFixed(1)} s${early}; the weights are those of ${kept}`;
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(2)}%`;
}
