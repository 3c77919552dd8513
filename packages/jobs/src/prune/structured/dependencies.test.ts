import { initEngine, tf } from "@whittle/engine";
import { buildModel } from "@whittle/zoo";
import { beforeAll, describe, expect, it } from "vitest";
import { dependenciesOf } from "./dependencies.ts";

beforeAll(() => initEngine());

type Value = tf.SymbolicTensor;

function apply(layer: tf.layers.Layer, ...inputs: Value[]): Value {
  const output = layer.apply(inputs.length === 1 && inputs[0] ? inputs[0] : inputs);
  if (output instanceof tf.SymbolicTensor) return output;
  throw new TypeError("a layer gave something else than one symbolic tensor");
}

const dense = (name: string, units: number, activation: "relu" | "softmax" = "relu") =>
  tf.layers.dense({ name, units, activation });

/** The groups of a model from 4 features over some layers to the logits: how many channels which layers give. */
function groupsOf(build: (input: Value) => Value) {
  const input = tf.input({ name: "in", shape: [4] });
  const model = tf.model({ inputs: input, outputs: apply(dense("logits", 2), build(input)) });
  const { groups, opaque } = dependenciesOf(model);
  return { groups: groups.map(({ layers, channels }) => [layers, channels.length]), opaque };
}

describe("dependenciesOf", () => {
  it("couples what is added", () => {
    const { groups } = groupsOf((input) =>
      apply(tf.layers.add({ name: "sum" }), apply(dense("a", 6), input), apply(dense("b", 6), input)),
    );
    expect(groups).toEqual([[["a", "b"], 6]]);
  });

  it("keeps what is concatenated apart, and couples its parts with what they are added to", () => {
    const { groups } = groupsOf((input) => {
      const joined = apply(
        tf.layers.concatenate({ name: "join" }),
        apply(dense("a", 3), input),
        apply(dense("b", 5), input),
      );
      return apply(tf.layers.add({ name: "sum" }), joined, apply(dense("c", 8), input));
    });
    expect(groups).toEqual([
      [["a", "c"], 3],
      [["b", "c"], 5],
    ]);
  });

  it("gives a layer that is used twice one set of channels, and couples those that it reads", () => {
    const { groups } = groupsOf((input) => {
      const shared = dense("shared", 3);
      const branches = ["a", "b"].map((name) => apply(shared, apply(dense(name, 5), input)));
      return apply(tf.layers.concatenate({ name: "join" }), ...branches);
    });
    expect(groups).toEqual([
      [["a", "b"], 5],
      [["shared"], 3],
    ]);
  });

  it("lets the channels stay that are added to the input", () => {
    const { groups } = groupsOf((input) => apply(tf.layers.add({ name: "sum" }), input, apply(dense("a", 4), input)));
    expect(groups).toEqual([]);
  });

  it("lets all channels around a layer stay that it can't follow them through, and says why", () => {
    const { groups, opaque } = groupsOf((input) => {
      const before = apply(dense("before", 6), apply(dense("first", 5), input));
      const grid = apply(tf.layers.reshape({ name: "grid", targetShape: [3, 2, 1] }), before);
      const turned = apply(tf.layers.permute({ name: "turn", dims: [1, 3, 2] }), grid);
      return apply(dense("after", 7), apply(tf.layers.flatten({ name: "flat" }), turned));
    });
    expect(groups).toEqual([
      [["first"], 5],
      [["after"], 7],
    ]);
    expect(opaque).toEqual([{ layer: "turn", reason: "it moves the axis of the channels" }]);
  });

  it("lets the channels of an inner softmax stay", () => {
    const { groups, opaque } = groupsOf((input) => apply(dense("gate", 6, "softmax"), apply(dense("a", 3), input)));
    expect(groups).toEqual([]);
    expect(opaque).toEqual([{ layer: "gate", reason: "softmax compares all of its channels" }]);
  });

  it("takes an attention head as one, with its queries, keys and values", () => {
    const shape = { inputShape: [12], vocabulary: 20, classes: 3, seed: 1 };
    const { groups, opaque } = dependenciesOf(
      buildModel("transformer", { width: 8, heads: 2, hidden: 6, blocks: 1 }, shape),
    );
    const found = Object.fromEntries(groups.map(({ layers, channels }) => [layers.join(" "), channels.length]));
    expect(found).toEqual({
      "embedding block1_output block1_dense": 8,
      "block1_query block1_key block1_value block1_attention": 2,
      block1_hidden: 6,
    });
    expect(opaque).toEqual([]);
  });
});
