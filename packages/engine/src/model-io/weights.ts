import { AppError } from "@whittle/contracts";
import { tf } from "../tf.ts";

/** A weight's numbers in row-major order. */
export interface WeightData {
  shape: number[];
  data: Float32Array;
}

/** Weights by their names in the tfjs weight manifest (`dense/kernel`). */
export type ModelWeights = Record<string, WeightData>;

/** A weight of a model as training sees it. */
export interface NamedVariable {
  name: string;
  variable: tf.Variable;
  trainable: boolean;
}

/**
 * The variables of a model in the order of its weight manifest, under the names that the manifest gives them. (tfjs makes the
 * variables' own names unique in the process, so these differ from one copy of a model to the next.)
 * @throws AppError `invalid_request` when two weights have one name.
 */
export function modelVariables(model: tf.LayersModel): NamedVariable[] {
  const named = model.weights.map((weight) => ({
    name: weight.originalName,
    variable: asVariable(weight.read(), weight.originalName),
    trainable: weight.trainable,
  }));
  const names = named.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    throw new AppError(
      "invalid_request",
      `Two weights of the model are named "${twice}": give every layer its own name`,
    );
  }
  return named;
}

/** Copies of a model's weights, those that are not trained included. */
export function modelWeights(model: tf.LayersModel): ModelWeights {
  return readVariables(modelVariables(model));
}

/**
 * Replaces a model's weights.
 * @throws AppError `invalid_request` when a name or a shape is not the model's; the model then stays as it was.
 */
export function assignWeights(model: tf.LayersModel, weights: ModelWeights): void {
  assignVariables(modelVariables(model), weights);
}

/** Copies of the values of variables. */
export function readVariables(variables: Pick<NamedVariable, "name" | "variable">[]): ModelWeights {
  return Object.fromEntries(
    variables.map(({ name, variable }) => [
      name,
      { shape: [...variable.shape], data: Float32Array.from(variable.dataSync()) },
    ]),
  );
}

/** Replaces the values of variables, all or none. @throws AppError `invalid_request` when names or shapes differ. */
export function assignVariables(variables: Pick<NamedVariable, "name" | "variable">[], values: ModelWeights): void {
  const pairs = variables.map(({ name, variable }) => ({ variable, value: matching(values, name, variable.shape) }));
  const extra = Object.keys(values).find((name) => !variables.some((known) => known.name === name));
  if (extra !== undefined) throw new AppError("invalid_request", `There is no weight "${extra}" to set`);
  for (const { variable, value } of pairs) {
    const tensor = tf.tensor(value.data, value.shape, "float32");
    variable.assign(tensor);
    tensor.dispose();
  }
}

function matching(values: ModelWeights, name: string, shape: number[]): WeightData {
  const value = values[name];
  if (!value) throw new AppError("invalid_request", `The weight "${name}" is missing`);
  if (!tf.util.arraysEqual(value.shape, shape)) {
    throw new AppError(
      "invalid_request",
      `The weight "${name}" must be [${shape.join()}], but is [${value.shape.join()}]`,
    );
  }
  return value;
}

function asVariable(tensor: tf.Tensor, name: string): tf.Variable {
  if (tensor instanceof tf.Variable) return tensor;
  throw new AppError("internal", `The weight "${name}" is not a variable`);
}
