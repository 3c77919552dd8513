import { modelVariables, modelWeights, readVariables, type ModelWeights } from "../model-io/weights.ts";
import { tf } from "../tf.ts";
import type { Averages } from "./averages.ts";
import { replaced, type Reparametrize } from "./forward.ts";

/**
 * Gives a model in training the weights that it is judged by: their averages where there are any, and what takes their place in the
 * model's computation.
 * @returns what gives the model its own weights back.
 */
export function lendJudgedWeights(
  model: tf.LayersModel,
  averages: Averages | undefined,
  reparametrize: Reparametrize | undefined,
): () => void {
  if (!averages && !reparametrize) return () => undefined;
  const trained = modelVariables(model).filter(({ trainable }) => trainable);
  const judged = tf.tidy(() =>
    trained.map(({ name, variable }) => {
      const average = averages?.slots.find(({ of }) => of.variable === variable)?.variable ?? variable;
      return tf.clone(reparametrize ? replaced(reparametrize, name, average) : average);
    }),
  );
  const own = trained.map(({ variable }, index) => exchange(variable, judged[index]));
  return () => tf.dispose(trained.map(({ variable }, index) => exchange(variable, own[index])));
}

/** The weights that a model in training would have if it ended now. */
export function weightsToKeep(model: tf.LayersModel, averages: Averages | undefined): ModelWeights {
  const averaged = averages?.slots.map(({ variable, of }) => ({ name: of.name, variable })) ?? [];
  return { ...modelWeights(model), ...readVariables(averaged) };
}

/** Gives a variable a value and disposes that. @returns the value that it had. */
function exchange(variable: tf.Variable, value: tf.Tensor | undefined): tf.Tensor {
  const had = tf.clone(variable);
  if (value) variable.assign(value);
  value?.dispose();
  return had;
}
