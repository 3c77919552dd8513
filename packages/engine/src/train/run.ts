import { AppError } from "@whittle/contracts";
import {
  assignVariables,
  assignWeights,
  modelVariables,
  modelWeights,
  readVariables,
  type ModelWeights,
} from "../model-io/weights.ts";
import { tf } from "../tf.ts";
import { advance, noProgress, score, shouldStop, type Progress } from "./best.ts";
import { CheckpointTimes } from "./checkpoint-times.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { evaluate } from "./evaluate.ts";
import { lendJudgedWeights, weightsToKeep } from "./judged-weights.ts";
import { createPace, throwIfAborted } from "./pace.ts";
import { applyMasks, type StepOutputs } from "./gradients.ts";
import { mixSeed, permutation } from "./random.ts";
import { acquire, type Resources } from "./resources.ts";
import { learningRateAt } from "./schedule.ts";
import { Tally } from "./tally.ts";
import type { EpochPoint, FitOptions, FitResult, FitSettings } from "./types.ts";

/** A training under way: its place, its state, and the tensors that it holds until `dispose`. */
export class Run {
  readonly #model: tf.LayersModel;
  readonly #settings: FitSettings;
  readonly #options: FitOptions;
  readonly #resources: Resources;
  readonly #pace = createPace();
  readonly #times: CheckpointTimes;
  #epoch = 0;
  #batch = 0;
  #step = 0;
  #tally = new Tally();
  #progress: Progress = noProgress;
  #bestWeights: ModelWeights | undefined;
  #history: EpochPoint[] = [];
  #order: Int32Array = new Int32Array();
  /** What earlier attempts spent in the epoch under way. */
  #secondsBefore = 0;
  #epochStarted = 0;

  constructor(model: tf.LayersModel, settings: FitSettings, options: FitOptions) {
    this.#model = model;
    this.#settings = settings;
    this.#options = options;
    this.#times = new CheckpointTimes(options.checkpoint?.everySeconds);
    this.#resources = acquire(model, settings, options);
  }

  /** Samples of a step. */
  get #size(): number {
    return this.#settings.batchSize * this.#settings.accumulate;
  }

  /** Steps of an epoch. */
  get #batches(): number {
    return Math.ceil(this.#resources.train.count / this.#size);
  }

  /** Steps of the whole training. */
  get #steps(): number {
    return this.#settings.epochs * this.#batches;
  }

  get finished(): boolean {
    return this.#epoch >= this.#settings.epochs || shouldStop(this.#progress, this.#settings.earlyStopping);
  }

  get inEpoch(): boolean {
    return this.#batch < this.#batches;
  }

  /** Goes on from the caller's checkpoint, if there is one that fits. */
  async resume(): Promise<void> {
    const { checkpoint } = this.#options;
    const found = await checkpoint?.load();
    const misfit = found && this.#assign(found);
    if (misfit && !checkpoint?.refused) throw misfit;
    if (misfit) checkpoint?.refused?.(misfit);
    else if (found) this.#restore(found);
    tf.tidy(() => applyMasks(this.#resources.masks));
  }

  beginEpoch(): void {
    this.#epochStarted = performance.now();
    this.#order = permutation(this.#resources.train.count, mixSeed(this.#settings.seed, this.#epoch));
  }

  /** One step on the next samples; the last of an epoch may have fewer. */
  trainBatch(): void {
    const size = this.#size;
    const indices = this.#order.subarray(this.#batch * size, (this.#batch + 1) * size);
    this.#options.beforeStep?.(this.#step, this.#steps);
    this.#tally.add(this.#runStep(indices), indices.length);
    this.#batch += 1;
    this.#step += 1;
    this.#options.onBatch?.({
      epoch: this.#epoch + 1,
      batch: this.#batch,
      batches: this.#batches,
      step: this.#step,
      steps: this.#steps,
      read: () => this.#tally.read(),
    });
  }

  #runStep(indices: Int32Array): StepOutputs {
    const { rule, step } = this.#resources;
    return step.run({ step: this.#step, places: indices, ...rule.live(this.#step, this.#learningRate(this.#step)) });
  }

  #learningRate(step: number): number {
    const { schedule, optimizer, epochs } = this.#settings;
    return learningRateAt(schedule, optimizer.learningRate, { step, stepsPerEpoch: this.#batches, epochs });
  }

  /** Between two steps: lets the event loop run when it is time, saves a checkpoint when it is time, and ends on an abort. */
  async pause(): Promise<void> {
    if (this.#pace.due()) {
      this.#means();
      await this.#pace.rest();
    }
    const { signal } = this.#options;
    if (signal?.aborted || this.#times.isDue()) await this.#save();
    throwIfAborted(signal, `Training, in epoch ${this.#epoch + 1} of ${this.#settings.epochs},`);
  }

  /** Judges the epoch, remembers its weights if it is the best, tells the caller, and saves a checkpoint when it is time or it was the last. */
  async endEpoch(): Promise<void> {
    const point = { ...this.#trainingPoint(), ...(await this.#validateOrSave()) };
    const { monitor, earlyStopping, restoreBest } = this.#settings;
    this.#progress = advance(this.#progress, point.epoch, score(point, monitor), earlyStopping);
    if (restoreBest && this.#resources.validation && this.#progress.bestEpoch === point.epoch) {
      this.#bestWeights = weightsToKeep(this.#model, this.#resources.averages);
    }
    this.#history.push(point);
    this.#epoch += 1;
    this.#batch = 0;
    this.#secondsBefore = 0;
    this.#tally = new Tally();
    await this.#options.onEpoch?.(point);
    if (this.finished || this.#times.isDueAfterEpoch()) await this.#save();
  }

  #trainingPoint(): EpochPoint {
    return {
      epoch: this.#epoch + 1,
      ...this.#means(),
      learningRate: this.#learningRate(this.#step - 1),
      seconds: this.#epochSeconds(),
    };
  }

  #epochSeconds(): number {
    return this.#secondsBefore + (performance.now() - this.#epochStarted) / 1000;
  }

  #means(): { loss: number; accuracy: number } {
    const means = this.#tally.read();
    if (!Number.isFinite(means.loss)) throw diverged(this.#epoch + 1);
    return means;
  }

  async #validate(): Promise<ValidationPoint> {
    const samples = this.#resources.validation;
    if (!samples) return undefined;
    const giveBack = lendJudgedWeights(this.#model, this.#resources.averages, this.#options.reparametrize);
    try {
      const { loss, accuracy } = await evaluate(this.#model, samples.x, samples.y, { signal: this.#options.signal });
      return { valLoss: loss, valAccuracy: accuracy };
    } finally {
      giveBack();
    }
  }

  /** Saves the epoch's steps when it is aborted, so that only the validation has to be done again. */
  async #validateOrSave(): Promise<ValidationPoint> {
    try {
      return await this.#validate();
    } catch (error) {
      if (this.#options.signal?.aborted) await this.#save();
      throw error;
    }
  }

  /** Gives the model the weights of the best epoch where they were kept, or else the averages where there are any. */
  finish(): void {
    if (this.#bestWeights ?? this.#resources.averages) {
      assignWeights(this.#model, this.#bestWeights ?? weightsToKeep(this.#model, this.#resources.averages));
    }
  }

  result(): FitResult {
    return {
      epochs: this.#history,
      bestEpoch: this.#progress.bestEpoch,
      stoppedEarly: this.#epoch < this.#settings.epochs,
      steps: this.#step,
      seconds: this.#history.reduce((sum, { seconds }) => sum + seconds, 0),
      execution: this.#resources.execution,
    };
  }

  async #save(): Promise<void> {
    const { checkpoint } = this.#options;
    if (!checkpoint) return;
    // Waits for the steps on the device: their time is no part of the checkpoint's.
    this.#tally.read();
    await this.#times.measure(() => checkpoint.save(this.#state()));
  }

  #state(): Checkpoint {
    return {
      epoch: this.#epoch,
      batch: this.#batch,
      step: this.#step,
      epochSeconds: this.#batch > 0 ? this.#epochSeconds() : 0,
      totals: { ...this.#tally.totals },
      weights: modelWeights(this.#model),
      state: readVariables(this.#resources.state),
      progress: this.#progress,
      ...(this.#bestWeights && { bestWeights: this.#bestWeights }),
      history: [...this.#history],
    };
  }

  /** Takes over a checkpoint's weights and state, all or none. @returns why it can't. */
  #assign({ weights, state }: Checkpoint): AppError | undefined {
    const variables = [...modelVariables(this.#model), ...this.#resources.state];
    try {
      assignVariables(variables, { ...weights, ...state });
      return undefined;
    } catch (cause) {
      return new AppError("corrupt", "The checkpoint is not one of this model and these settings", { cause });
    }
  }

  #restore(from: Checkpoint): void {
    this.#epoch = from.epoch;
    this.#batch = from.batch;
    this.#step = from.step;
    this.#secondsBefore = from.epochSeconds;
    this.#tally = new Tally(from.totals);
    this.#progress = from.progress;
    this.#bestWeights = from.bestWeights;
    this.#history = [...from.history];
  }

  dispose(): void {
    this.#tally.dispose();
    this.#resources.dispose();
  }
}

type ValidationPoint = Pick<EpochPoint, "valLoss" | "valAccuracy"> | undefined;

function diverged(epoch: number): AppError {
  const message = "the loss is no longer a finite number: lower the learning rate or clip the gradients";
  return new AppError("invalid_request", `Training diverged in epoch ${epoch}: ${message}`, {
    issues: [{ path: "optimizer.learningRate", message }],
  });
}
