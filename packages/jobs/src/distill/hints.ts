import { mixSeed, tf, type Batch } from "@whittle/engine";
import { refuse } from "../shared/model.ts";
import type { Hint } from "./contract.ts";
import { attentionLoss, featureLoss } from "./hint-losses.ts";

/** What a student learns from a teacher's layers, as a part of the training's loss. */
export interface Hints {
  /** The student's layers that the loss looks at, and what it learns besides the student. */
  taps: string[];
  lossVariables: tf.Variable<tf.Rank.R2>[];
  /** The weighted sum of the hints' losses for a batch. @param features what the student's layers give, by their names. */
  loss(batch: Batch, features: Record<string, tf.Tensor>): tf.Scalar;
  /** Gives the projections back; the models are the caller's. */
  dispose(): void;
}

type HintLoss = (student: tf.Tensor, teacher: tf.Tensor) => tf.Scalar;

/**
 * Ties layers of a student to layers of a teacher.
 * @throws AppError `invalid_request` for a layer that a model does not have, saying which it has, and for shapes that can't be compared.
 */
export function tieHints(hints: Hint[], teacher: tf.LayersModel, student: tf.LayersModel, seed: number): Hints {
  const pairs = hints.map((hint, at) => ({
    from: featuresOf(teacher, hint.teacher, `hints.${at}.teacher`),
    to: featuresOf(student, hint.student, `hints.${at}.student`),
  }));
  for (const [at, { from, to }] of pairs.entries()) checkShapes(hints[at]?.type, from.shape, to.shape, `hints.${at}`);
  // A model answers an output that it is made with twice only once.
  const outputs = [...new Set(pairs.map(({ from }) => from))];
  const watched = tf.model({ inputs: teacher.inputs, outputs });
  const lossVariables: Hints["lossVariables"] = [];
  const losses = hints.map(({ type }, at): HintLoss => {
    if (type === "attention") return attentionLoss;
    const [from, to] = [pairs[at]?.from.shape.at(-1) ?? 0, pairs[at]?.to.shape.at(-1) ?? 0];
    const projection = newProjection(to, from, mixSeed(seed, at));
    lossVariables.push(projection);
    return (own, others) => featureLoss(own, others, projection);
  });
  const loss: Hints["loss"] = ({ x }, features) =>
    tf.tidy(() => {
      const given = [watched.apply(x, { training: false })].flat();
      const terms = hints.map(({ student: layer, weight }, at) => {
        const from = pairs[at]?.from;
        const [own, others] = [features[layer], from && given[outputs.indexOf(from)]];
        if (!own || !(others instanceof tf.Tensor)) throw new RangeError(`hints.${at} has no features to compare`);
        return losses[at]?.(own, others).mul(weight) ?? tf.scalar(0);
      });
      return tf.addN(terms).asScalar();
    });
  return {
    taps: [...new Set(hints.map(({ student: layer }) => layer))],
    lossVariables,
    loss,
    dispose: () => tf.dispose(lossVariables),
  };
}

function newProjection(from: number, to: number, seed: number): tf.Variable<tf.Rank.R2> {
  return tf.tidy(() => tf.variable(tf.initializers.glorotUniform({ seed }).apply([from, to]).as2D(from, to)));
}

function featuresOf(model: tf.LayersModel, name: string, param: string): tf.SymbolicTensor {
  const layer = model.layers.find((known) => known.name === name);
  if (!layer)
    refuse(param, `there is no layer ${name}; there are ${model.layers.map((known) => known.name).join(", ")}`);
  if (layer.inboundNodes.length !== 1 || Array.isArray(layer.output)) refuse(param, `${name} has more than one output`);
  return layer.output;
}

type Shape = (number | null)[];

function checkShapes(type: Hint["type"] | undefined, teacher: Shape, student: Shape, param: string): void {
  const both = `the teacher's layer gives ${show(teacher)}, the student's ${show(student)}`;
  if (type === "attention" && teacher.length < 3) refuse(param, `attention needs layers with places, but ${both}`);
  if (teacher.slice(1, -1).join() !== student.slice(1, -1).join() || teacher.length !== student.length)
    refuse(param, `the two may differ in their last dimension only, but ${both}`);
}

function show(shape: Shape): string {
  return `[${shape.slice(1).join(", ")}]`;
}
