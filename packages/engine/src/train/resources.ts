import { AppError } from "@whittle/contracts";
import { modelVariables, type NamedVariable } from "../model-io/weights.ts";
import { tf } from "../tf.ts";
import { createAverages, type Averages } from "./averages.ts";
import { createSamples, type Samples } from "./data.ts";
import { seedDropout } from "./dropout.ts";
import { chooseExecution, type Execution } from "./execution.ts";
import { createForward } from "./forward.ts";
import type { StepParts } from "./gradients.ts";
import { crossEntropy } from "./loss.ts";
import { createUpdateRule, type UpdateRule } from "./optimizer.ts";
import { mixSeed } from "./random.ts";
import { shapeOf } from "./raw.ts";
import { makeStep, type Step } from "./step.ts";
import type { FitOptions, FitSettings } from "./types.ts";

/** What a training holds until `dispose`: tensors, variables and changed layers. */
export interface Resources {
  train: Samples;
  validation: Samples | undefined;
  rule: UpdateRule;
  masks: StepParts["masks"];
  averages: Averages | undefined;
  /** What a training remembers besides the model's weights. */
  state: Pick<NamedVariable, "name" | "variable">[];
  step: Step;
  execution: Execution;
  dispose(): void;
}

/** Makes all that a training holds; when one part is refused, what was made before it is given back. */
export function acquire(model: tf.LayersModel, settings: FitSettings, options: FitOptions): Resources {
  const held: { dispose(): void }[] = [];
  const hold = <T extends { dispose(): void }>(resource: T): T => {
    held.push(resource);
    return resource;
  };
  const dispose = () => held.toReversed().forEach((resource) => resource.dispose());
  try {
    const classes = outputClasses(model);
    const train = hold(createSamples(options.x, options.y, classes));
    const { validation: given } = options;
    const validation = given && hold(createSamples(given.x, given.y, classes, "validation."));
    checkAugment(settings, shapeOf(options.x));
    const weights = modelVariables(model);
    const trainable = weights.filter((weight) => weight.trainable);
    const averages = settings.ema && hold(createAverages(settings.ema, trainable));
    const masks = maskedVariables(weights, options.masks ?? {}, averages);
    const lossVariables = (options.lossVariables ?? []).map((variable, i) => ({ name: `loss/${i}`, variable }));
    const trained = [...trainable, ...lossVariables];
    const rule = hold(createUpdateRule(settings.optimizer, trained));
    const dropout = hold(seedDropout(model));
    const forward = createForward(model, options.taps, options.reparametrize);
    const { batchSize, accumulate, precision, clip, augment } = settings;
    const execution = chooseExecution({ mode: options.mode, precision });
    options.onStart?.(execution);
    const loss = options.loss ?? crossEntropy;
    const seed = mixSeed(settings.seed) | 0;
    const update = { rule, trained, clip, masks, averages };
    const parts = { train, forward, loss, dropout, augment, batchSize, accumulate, seed, ...update };
    const step = hold(makeStep(parts, execution));
    const state = [...rule.slots, ...lossVariables, ...(averages?.slots ?? []), ...maskVariables(options.masks)];
    return { train, validation, rule, masks, averages, state, step, execution, dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** The weights under masks, and with each its average. */
function maskedVariables(
  weights: NamedVariable[],
  masks: Record<string, tf.Tensor>,
  averages: Averages | undefined,
): StepParts["masks"] {
  return Object.entries(masks).flatMap(([name, mask]) => {
    const variable = weights.find((weight) => weight.name === name)?.variable;
    if (!variable) throw badMask(name, `names no weight; there are ${weights.map((weight) => weight.name).join(", ")}`);
    if (!tf.util.arraysEqual(variable.shape, mask.shape)) {
      throw badMask(name, `must be [${variable.shape.join()}] like its weight, not [${mask.shape.join()}]`);
    }
    const average = averages?.slots.find(({ of }) => of.variable === variable);
    return [variable, ...(average ? [average.variable] : [])].map((masked) => ({ variable: masked, mask }));
  });
}

/** The masks that may change. */
function maskVariables(masks: Record<string, tf.Tensor> = {}): Resources["state"] {
  return Object.entries(masks).flatMap(([name, mask]) =>
    mask instanceof tf.Variable ? [{ name: `${name}/mask`, variable: mask }] : [],
  );
}

function badMask(name: string, message: string): AppError {
  return new AppError("invalid_request", `masks.${name} ${message}`, { issues: [{ path: `masks.${name}`, message }] });
}

/** @throws AppError `invalid_request` when the samples are no images, or too small ones. */
function checkAugment({ augment }: FitSettings, shape: number[]): void {
  if (!augment) return;
  if (shape.length !== 3)
    refuseAugment("augment", `is for images [height, width, channels], not for [${shape.join()}]`);
  const least = Math.min(...shape.slice(0, 2));
  for (const name of ["shift", "cutout"] as const) {
    const pixels = augment[name] ?? 0;
    if (pixels >= least) refuseAugment(`augment.${name}`, `must be smaller than the images' side of ${least} pixels`);
  }
}

function refuseAugment(path: string, message: string): never {
  throw new AppError("invalid_request", `${path} ${message}`, { issues: [{ path, message }] });
}

function outputClasses(model: tf.LayersModel): number {
  const shape = model.outputs.length === 1 ? model.outputs[0]?.shape : undefined;
  const classes = shape?.at(-1);
  if (shape?.length === 2 && classes) return classes;
  throw new AppError("unsupported", "Only models with one output of logits [batch, classes] can be trained");
}
