import { AppError } from "@whittle/contracts";
import { Patches } from "../compile/patches.ts";
import { tf } from "../tf.ts";

/** Gives what takes a weight's place in the model's computation; its gradient goes on to the weight. */
export type Reparametrize = (name: string, weight: tf.Tensor) => tf.Tensor;

/** The model's output in training, where dropout is active and batch normalization uses the batch's statistics. */
export type Forward = (x: tf.Tensor) => { logits: tf.Tensor; features: Record<string, tf.Tensor> };

/**
 * @param taps names of layers whose outputs are given as `features`.
 * @throws AppError `invalid_request` for a tap that names no layer with one output.
 */
export function createForward(model: tf.LayersModel, taps: string[] = [], reparametrize?: Reparametrize): Forward {
  const tapped = taps.map((name, index) => outputOf(model, name, `taps.${index}`));
  const outputs = [...new Set([...model.outputs, ...tapped])];
  const whole = taps.length > 0 ? tf.model({ inputs: model.inputs, outputs }) : model;
  const run = (x: tf.Tensor): ReturnType<Forward> => {
    const made = tensorsOf(whole.apply(x, { training: true }));
    const at = (output: tf.SymbolicTensor | undefined) => made[outputs.findIndex((known) => known === output)];
    const features = Object.fromEntries(taps.map((name, index) => [name, present(at(tapped[index]))]));
    return { logits: present(made[0]), features };
  };
  return reparametrize ? (x) => withWeights(model, reparametrize, () => run(x)) : run;
}

/**
 * What takes the place of a weight.
 * @throws AppError `invalid_request` when it has another shape.
 */
export function replaced(reparametrize: Reparametrize, name: string, weight: tf.Tensor): tf.Tensor {
  const value = reparametrize(name, weight);
  if (tf.util.arraysEqual(value.shape, weight.shape)) return value;
  const message = `must give [${weight.shape.join()}] for ${name}, like the weight, not [${value.shape.join()}]`;
  throw new AppError("invalid_request", `reparametrize ${message}`, { issues: [{ path: "reparametrize", message }] });
}

/** Runs `fn` while the layers read other values for the weights that are trained. */
function withWeights<T>(model: tf.LayersModel, reparametrize: Reparametrize, fn: () => T): T {
  const patches = new Patches();
  try {
    for (const weight of model.weights.filter(({ trainable }) => trainable)) {
      const value = replaced(reparametrize, weight.originalName, weight.read());
      patches.set(weight, "read", () => value);
    }
    return fn();
  } finally {
    patches.restore();
  }
}

function outputOf(model: tf.LayersModel, name: string, path: string): tf.SymbolicTensor {
  const layer = model.layers.find((known) => known.name === name);
  if (!layer) throw badTap(path, `names no layer; there are ${model.layers.map((known) => known.name).join(", ")}`);
  if (layer.inboundNodes.length !== 1 || Array.isArray(layer.output))
    throw badTap(path, "must have exactly one output");
  return layer.output;
}

function badTap(path: string, message: string): AppError {
  return new AppError("invalid_request", `${path} ${message}`, { issues: [{ path, message }] });
}

function tensorsOf(output: ReturnType<tf.LayersModel["apply"]>): (tf.Tensor | tf.SymbolicTensor)[] {
  return Array.isArray(output) ? output : [output];
}

function present(output: tf.Tensor | tf.SymbolicTensor | undefined): tf.Tensor {
  if (output instanceof tf.Tensor) return output;
  throw new AppError("internal", "The model gave no tensor for an output");
}
