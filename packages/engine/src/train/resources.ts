import { AppError } from "@whittle/contracts";
import { modelVariables, type NamedVariable } from "../model-io/weights.ts";
import { tf } from "../tf.ts";
import { createSamples, type Samples } from "./data.ts";
import { seedDropout } from "./dropout.ts";
import { chooseExecution, type Execution } from "./execution.ts";
import { crossEntropy } from "./loss.ts";
import { createUpdateRule, type UpdateRule } from "./optimizer.ts";
import { makeStep, type Step, type StepParts } from "./step.ts";
import type { FitOptions, FitSettings } from "./types.ts";

/** What a training holds until `dispose`: tensors, variables and changed layers. */
export interface Resources {
  train: Samples;
  validation: Samples | undefined;
  rule: UpdateRule;
  masks: StepParts["masks"];
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
    const weights = modelVariables(model);
    const masks = maskedVariables(weights, options.masks ?? {});
    const classes = outputClasses(model);
    const train = hold(createSamples(options.x, options.y, classes));
    const { validation: given } = options;
    const validation = given && hold(createSamples(given.x, given.y, classes, "validation."));
    const dropout = hold(seedDropout(model));
    const rule = hold(
      createUpdateRule(
        settings.optimizer,
        weights.filter(({ trainable }) => trainable),
      ),
    );
    const loss = options.loss ?? crossEntropy;
    const steps = settings.epochs * Math.ceil(train.count / settings.batchSize);
    const execution = chooseExecution(model, steps, options.eager);
    const parts = { train, model, loss, rule, weights, clip: settings.clip, masks, dropout };
    const step = hold(makeStep(parts, execution.mode));
    return { train, validation, rule, masks, step, execution, dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

function maskedVariables(weights: NamedVariable[], masks: Record<string, tf.Tensor>): StepParts["masks"] {
  return Object.entries(masks).map(([name, mask]) => {
    const variable = weights.find((weight) => weight.name === name)?.variable;
    if (!variable) throw badMask(name, `names no weight; there are ${weights.map((weight) => weight.name).join(", ")}`);
    if (!tf.util.arraysEqual(variable.shape, mask.shape)) {
      throw badMask(name, `must be [${variable.shape.join()}] like its weight, not [${mask.shape.join()}]`);
    }
    return { variable, mask };
  });
}

function badMask(name: string, message: string): AppError {
  return new AppError("invalid_request", `masks.${name} ${message}`, { issues: [{ path: `masks.${name}`, message }] });
}

function outputClasses(model: tf.LayersModel): number {
  const shape = model.outputs.length === 1 ? model.outputs[0]?.shape : undefined;
  const classes = shape?.at(-1);
  if (shape?.length === 2 && classes) return classes;
  throw new AppError("unsupported", "Only models with one output of logits [batch, classes] can be trained");
}
