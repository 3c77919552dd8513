import { beforeAll, describe, expect, it } from "vitest";
import { initEngine } from "../../runtime/init.ts";
import { nativeBackend } from "../../runtime/native.ts";
import { tf } from "../../tf.ts";
import { compile } from "../compile.ts";
import { distance, minimize, pair, weightsDistance, type Pair } from "../testing/models.ts";
import { trace } from "../trace.ts";

beforeAll(async () => void (await initEngine()));

const { layers } = tf;

/** A layer between two dense ones; `shape` is what it sees of a sample, `samples` are those of a batch. */
function around(shape: number[], make: () => tf.layers.Layer, samples = 6): Pair {
  const sizeOf = (sizes: (number | null)[]) => sizes.reduce<number>((product, size) => product * (size ?? 1), 1);
  const model = () => {
    const layer = make();
    const after = [layer.computeOutputShape([null, ...shape])]
      .flat()
      .flatMap((size) => (Array.isArray(size) ? [] : [size]));
    return tf.sequential({
      layers: [
        layers.dense({ units: sizeOf(shape), useBias: false, inputShape: [5] }),
        layers.reshape({ targetShape: shape }),
        layer,
        layers.reshape({ targetShape: [sizeOf(after)] }),
        layers.dense({ units: 3 }),
      ],
    });
  };
  return pair(model, tf.randomNormal([samples, 5], 0, 1, "float32", 1), 3);
}

/** The operations that a step consists of, each as often as it is there. */
function operations({ models: [model], x, y }: Pair): string[] {
  const backend = nativeBackend();
  if (!backend) throw new Error("no native backend");
  const step = minimize(model, tf.train.sgd(0));
  const request = { backend, fn: step, args: [x, y], tensors: [x, y], random: Math.random };
  const traced = trace<Parameters<typeof step>, tf.Scalar>({
    ...request,
    args: [x, y],
    mayFuse: true,
    mayInitialise: true,
  });
  if (!("program" in traced)) throw new Error("the step made variables");
  return traced.program.nodes.flatMap((node) => (node.kind === "call" ? [node.op] : []));
}

function distanceAfter(steps: number, made: Pair): number {
  const [eager, compiled] = [
    minimize(made.models[0], tf.train.adam(0.01)),
    compile(minimize(made.models[1], tf.train.adam(0.01))),
  ];
  for (let step = 0; step < steps; step++) tf.dispose([eager(made.x, made.y), compiled(made.x, made.y)]);
  compiled.dispose();
  return weightsDistance(made.models);
}

const momentum = 0.8;
const fused: Record<string, { shape: number[]; make: () => tf.layers.Layer; op: string }> = {
  "batch normalization of vectors": {
    shape: [4],
    make: () => layers.batchNormalization({ momentum, epsilon: 0.01 }),
    op: "FusedBatchNormGradV3",
  },
  "batch normalization of sequences": {
    shape: [3, 4],
    make: () => layers.batchNormalization({ momentum, axis: 2 }),
    op: "FusedBatchNormGradV3",
  },
  "batch normalization of images": {
    shape: [3, 2, 4],
    make: () => layers.batchNormalization({ momentum }),
    op: "FusedBatchNormGradV3",
  },
  lstm: {
    shape: [3, 4],
    make: () => layers.lstm({ units: 5, recurrentActivation: "sigmoid", goBackwards: true }),
    op: "BlockLSTMGradV2",
  },
  "lstm that gives all its states": {
    shape: [3, 4],
    make: () => layers.lstm({ units: 5, recurrentActivation: "sigmoid", returnSequences: true }),
    op: "BlockLSTMGradV2",
  },
  gru: {
    shape: [3, 4],
    make: () => layers.gru({ units: 5, recurrentActivation: "sigmoid", goBackwards: true }),
    op: "GRUBlockCellGrad",
  },
  "gru that gives all its states": {
    shape: [3, 4],
    make: () => layers.gru({ units: 5, recurrentActivation: "sigmoid", returnSequences: true }),
    op: "GRUBlockCellGrad",
  },
  relu: { shape: [4], make: () => layers.activation({ activation: "relu" }), op: "ReluGrad" },
};

describe.each(Object.entries(fused))("%s in a compiled step", (_, { shape, make, op }) => {
  it("is one operation backward, and comes to the same as eagerly for 20 steps", () => {
    expect(operations(around(shape, make))).toContain(op);
    expect(distanceAfter(20, around(shape, make))).toBeLessThan(2e-6);
  });
});

it("computes an LSTM of 32 samples or more as two halves, and comes to the same", () => {
  const lstm = (samples: number) =>
    around([3, 4], () => layers.lstm({ units: 5, recurrentActivation: "sigmoid" }), samples);
  const count = (name: string, samples: number) => operations(lstm(samples)).filter((op) => op === name).length;
  expect([31, 32, 33].map((samples) => count("BlockLSTMV2", samples))).toEqual([1, 2, 2]);
  expect(count("LSTMBlockCellGrad", 33)).toBe(6);
  for (const samples of [33, 129]) expect(distanceAfter(20, lstm(samples))).toBeLessThan(2e-6);
});

describe.each([
  { name: "another activation", config: {} },
  { name: "no bias", config: { recurrentActivation: "sigmoid", useBias: false } },
] as const)("a recurrent layer with $name in a compiled step", ({ config }) => {
  it("is as tfjs composes it", () => {
    const made = around([3, 4], () => layers.lstm({ units: 5, ...config }));
    expect(operations(made)).not.toContain("BlockLSTMV2");
    expect(distanceAfter(5, made)).toBeLessThan(2e-6);
  });
});

it("leaves a bias before batch normalization without a gradient but for rounding, as eagerly", () => {
  const [x, bias, mix] = [1, 2, 3].map((seed) => tf.randomNormal(seed === 2 ? [4] : [16, 4], 0, 1, "float32", seed));
  if (!x || !bias || !mix) throw new Error("no numbers");
  const layer = layers.batchNormalization();
  layer.build([null, 4]);
  const output = (by: tf.Tensor) => {
    const normalized = layer.apply(tf.add(x, by), { training: true });
    return normalized instanceof tf.Tensor ? tf.sum(tf.mul(normalized, mix)) : tf.scalar(NaN);
  };
  const gradient = (of: (by: tf.Tensor) => tf.Tensor) => tf.grad(of)(bias);
  const largest = (of: tf.Tensor) => Number(tf.max(tf.abs(of)).dataSync()[0]);
  const compiled = compile(() => [gradient(output), gradient((by) => tf.sum(tf.mul(tf.add(x, by), mix)))] as const);
  const [fusedGradient, without] = compiled();
  expect(largest(without)).toBeGreaterThan(1);
  expect(Math.max(largest(fusedGradient), largest(gradient(output)))).toBeLessThan(2e-5);
});

describe("batch normalization that is no single operation", () => {
  it.each([
    { name: "where its axis isn't the last one", axis: 1, training: true },
    { name: "outside training", axis: 2, training: false },
  ])("is as tfjs composes it $name", ({ axis, training }) => {
    const { models, x } = around([3, 4], () => layers.batchNormalization({ axis }));
    const apply = (inputs: tf.Tensor): tf.Tensor => {
      const output = models[0].apply(inputs, { training });
      if (output instanceof tf.Tensor) return output;
      throw new TypeError("several outputs");
    };
    const compiled = compile(apply);
    expect(distance(compiled(x).dataSync(), apply(x).dataSync())).toBeLessThan(1e-6);
    expect(compiled.graphs).toBe(1);
  });
});

it("differentiates twice through relu", () => {
  const second = (x: tf.Tensor) => {
    const first = tf.grad((at: tf.Tensor) => tf.sum(tf.square(tf.relu(at))));
    return tf.grad((at: tf.Tensor) => tf.sum(first(at)))(x);
  };
  const compiled = compile(second);
  const x = tf.tensor1d([-1, 0.5, 2]);
  // (relu(x)^2)'' is 2 where x > 0.
  expect([...compiled(x).dataSync()]).toEqual([0, 2, 2]);
  expect(compiled.graphs).toBe(1);
});
