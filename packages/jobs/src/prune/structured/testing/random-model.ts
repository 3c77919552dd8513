import { splitmix32, tf } from "@whittle/engine";

type Value = tf.SymbolicTensor;

/** Draws whole numbers below a bound, the same ones for the same seed. */
function dice(seed: number): (below: number) => number {
  const next = splitmix32(seed);
  return (below) => Math.floor((next() / 2 ** 32) * below);
}

function single(output: tf.Tensor | tf.Tensor[] | Value | Value[]): Value {
  if (output instanceof tf.SymbolicTensor) return output;
  throw new TypeError("a layer gave something else than one symbolic tensor");
}

/** Builds a model step by step; every layer has a name of its own. */
class Builder {
  readonly values: Value[];
  readonly input: Value;
  readonly roll: (below: number) => number;
  #layers = 0;

  constructor(seed: number) {
    this.roll = dice(seed);
    this.input = tf.input({ name: "in", shape: [6, 6, 3] });
    this.values = [this.input];
  }

  name(): string {
    return `layer${++this.#layers}`;
  }

  pick(fits: (value: Value) => boolean = () => true): Value {
    const candidates = this.values.filter(fits);
    return candidates[this.roll(candidates.length)] ?? this.input;
  }

  push(layer: tf.layers.Layer, ...inputs: Value[]): Value {
    const output = single(layer.apply(inputs.length === 1 && inputs[0] ? inputs[0] : inputs));
    this.values.push(output);
    return output;
  }
}

const activations = ["linear", "relu", "tanh"] as const;
const sameSpace = (a: Value) => (b: Value) => a.shape[1] === b.shape[1] && a.shape[2] === b.shape[2];
const sameShape = (a: Value) => (b: Value) => a.shape.join() === b.shape.join();

const convolve = (builder: Builder, value: Value, filters = 2 + builder.roll(5)) => {
  const activation = activations[builder.roll(3)] ?? "linear";
  const useBias = builder.roll(2) === 0;
  const layer = { name: builder.name(), filters, kernelSize: 1 + builder.roll(3), padding: "same" as const };
  return builder.push(tf.layers.conv2d({ ...layer, activation, useBias }), value);
};

/** A value to meet another one by one: one of the same shape, or one made for it. */
function partner(builder: Builder, value: Value): Value {
  const equal = builder.pick((other) => other !== value && sameShape(value)(other));
  if (sameShape(value)(equal)) return equal;
  return convolve(builder, builder.pick(sameSpace(value)), value.shape[3] ?? 1);
}

const steps: ((builder: Builder) => void)[] = [
  (builder) => convolve(builder, builder.pick()),
  (builder) => convolve(builder, builder.pick()),
  (builder) => {
    const depthMultiplier = 1 + builder.roll(2);
    const layer = { name: builder.name(), kernelSize: 2, depthMultiplier, padding: "same" as const };
    builder.push(tf.layers.depthwiseConv2d(layer), builder.pick());
  },
  (builder) => {
    const layer = { name: builder.name(), kernelSize: 2, filters: 2 + builder.roll(4) };
    builder.push(tf.layers.separableConv2d({ ...layer, padding: "same" }), builder.pick());
  },
  (builder) => builder.push(tf.layers.batchNormalization({ name: builder.name() }), builder.pick()),
  (builder) => builder.push(tf.layers.prelu({ name: builder.name() }), builder.pick()),
  (builder) => {
    const value = builder.pick(({ shape }) => (shape[1] ?? 0) >= 4);
    builder.push(tf.layers.maxPooling2d({ name: builder.name(), poolSize: 2 }), value);
  },
  (builder) => {
    const value = builder.pick();
    builder.push(tf.layers.add({ name: builder.name() }), value, partner(builder, value));
  },
  (builder) => {
    const value = builder.pick();
    builder.push(tf.layers.multiply({ name: builder.name() }), value, partner(builder, value));
  },
  (builder) => {
    const value = convolve(builder, builder.pick());
    const other = builder.pick((each) => each !== value && sameSpace(value)(each));
    builder.push(tf.layers.concatenate({ name: builder.name() }), value, other);
  },
  (builder) => {
    const shared = tf.layers.conv2d({ name: builder.name(), filters: 3, kernelSize: 2, padding: "same" });
    const value = builder.pick();
    builder.push(shared, value);
    builder.push(shared, partner(builder, value));
  },
];

/** Each value as features [batch, n], by one of the ways that there are. */
function toFeatures(builder: Builder, value: Value): Value {
  const size = value.shape.slice(1).reduce<number>((product, each) => product * (each ?? 1), 1);
  const ways = [
    () => tf.layers.flatten({ name: builder.name() }),
    () => tf.layers.globalAveragePooling2d({ name: builder.name(), dataFormat: "channelsLast" }),
    () => tf.layers.reshape({ name: builder.name(), targetShape: [size] }),
  ];
  return single((ways[builder.roll(3)] ?? ways[0])!().apply(value));
}

/** A classifier of images [6, 6, 3] with layers drawn at random, all of which give 0 where they get 0. */
export function randomModel(seed: number): tf.LayersModel {
  const builder = new Builder(seed);
  for (let step = 0; step < 7; step++) steps[builder.roll(steps.length)]?.(builder);
  const ends = [builder.values.at(-1), builder.pick(), convolve(builder, builder.pick())];
  const features = ends.flatMap((value) => (value ? toFeatures(builder, value) : []));
  const all = single(tf.layers.concatenate({ name: builder.name() }).apply(features));
  const dense = (units: number, activation: "relu" | "linear") =>
    tf.layers.dense({ name: builder.name(), units, activation });
  const hidden = single(dense(12, "relu").apply(all));
  const grid = single(tf.layers.reshape({ name: builder.name(), targetShape: [2, 3, 2] }).apply(hidden));
  const image = single(
    tf.layers.conv2d({ name: builder.name(), filters: 4, kernelSize: 2, activation: "relu" }).apply(grid),
  );
  const flat = single(tf.layers.flatten({ name: builder.name() }).apply(image));
  return tf.model({ inputs: builder.input, outputs: single(dense(3, "linear").apply(flat)) });
}
