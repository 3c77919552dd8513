import { beforeAll, describe, expect, it } from "vitest";
import { initEngine } from "../../runtime/init.ts";
import { tf } from "../../tf.ts";
import { compile } from "../compile.ts";
import { distance } from "../testing/models.ts";
import torch from "../testing/torch_lstm.json" with { type: "json" };
import exact from "../testing/torch_lstm_exact.json" with { type: "json" };

beforeAll(async () => void (await initEngine()));

interface Numbers {
  shape: number[];
  data: number[];
}

const results = ["y", "dx", "dkernel", "drecurrent", "dbias"] as const;

type Result = (typeof results)[number];
type Case = Record<"x" | "c" | "kernel" | "recurrent" | "bias" | Result, Numbers>;

/** The states of a compiled LSTM, and the gradients of the sum of c times them. */
function compute({ x: given, c: weights, kernel, recurrent, bias }: Case): Record<Result, tf.TypedArray> {
  const tensor = ({ shape, data }: Numbers) => tf.tensor(data, shape, "float32");
  const [x, c] = [tensor(given), tensor(weights)];
  const units = recurrent.shape[0] ?? 0;
  const layer = tf.layers.lstm({ units, recurrentActivation: "sigmoid", returnSequences: true });
  layer.apply(x);
  layer.setWeights([kernel, recurrent, bias].map(tensor));
  const states = (of: tf.Tensor) => {
    const made = layer.apply(of);
    return made instanceof tf.Tensor ? made : tf.fill(c.shape, NaN);
  };
  const weighted = (of: tf.Tensor) => tf.sum(tf.mul(states(of), c)).asScalar();
  const run = compile(() => {
    const [dkernel, drecurrent, dbias] = Object.values(tf.variableGrads(() => weighted(x)).grads);
    return { y: states(x), dx: tf.grad(weighted)(x), dkernel, drecurrent, dbias };
  });
  const made: Record<string, tf.Tensor | undefined> = run();
  const values = (name: Result) => made[name]?.dataSync() ?? new Float32Array();
  return {
    y: values("y"),
    dx: values("dx"),
    dkernel: values("dkernel"),
    drecurrent: values("drecurrent"),
    dbias: values("dbias"),
  };
}

it.each(Object.entries(torch))("gives the states of PyTorch's LSTM, and its gradients, of %s", (_, values) => {
  const made = compute(values);
  const distances = results.map((name) => distance(made[name], values[name].data));
  expect(Math.max(...distances)).toBeLessThan(2e-6);
});

/**
 * How far a float32 result may be from the exact one, relative to the sum of its absolute terms: lambda sqrt(n) u for n roundings on the
 * way, u = 2^-24. Roundings that don't depend on each other keep to it with a probability of at least 1 - 2 n exp(-lambda^2 / 2) (Higham
 * and Mary, SIAM J. Sci. Comput. 41(5), 2019): 0.99996 for the 201 of a weight's gradient.
 */
const probable = (n: number) => 5.7 * Math.sqrt(n) * 2 ** -24;

/** Of one step forward: the products with the weights, the bias, an activation of 4 roundings, cell and state. */
const forward = (features: number, units: number) => features + units + 1 + 4 + 3 + 5;

/** Of one step backward: the derivatives of state, cell and gates, and the products with the weights of the four gates. */
const backward = (units: number) => 10 + 4 * units;

describe.each(Object.entries(exact))("an LSTM by halves, of %s", (_, values) => {
  const [samples = 0, steps = 0, features = 0] = values.x.shape;
  const units = values.recurrent.shape[0] ?? 0;
  const ofState = steps * forward(features, units);
  const ofInput = ofState + steps * backward(units);
  const ofWeight = ofInput + samples * steps;
  const roundings = { y: ofState, dx: ofInput, dkernel: ofWeight, drecurrent: ofWeight, dbias: ofWeight };

  it.each(results)("is as far from float64 as the roundings of float32 explain: %s", (name) => {
    const made = [...compute(values)[name]];
    const differences = made.map((value, at) => Math.abs(value - (values[name].data[at] ?? Number.NaN)));
    expect(made).toHaveLength(values[name].data.length);
    expect(Math.max(...differences) / values.sums[name]).toBeLessThan(probable(roundings[name]));
  });
});
