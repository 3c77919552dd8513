import { beforeAll, describe as about, expect, it } from "vitest";
import { initEngine } from "../runtime/init.ts";
import { tf } from "../tf.ts";
import { describe, mapTensors } from "./structure.ts";

beforeAll(async () => void (await initEngine()));

about("a description of arguments", () => {
  it("finds tensors in order and makes a key of all else", () => {
    const [a, b] = [tf.zeros([2, 3]), tf.scalar(1, "int32")];
    const { key, tensors } = describe([{ a, list: [1, "x", b] }, null, true]);
    expect(tensors).toEqual([a, b]);
    expect(key).toBe('{"a":float32[2,3];"list":[number 1;"x";int32[]]};object null;boolean true');
  });

  it("tells apart what looks alike", () => {
    const keys = [
      1,
      "1",
      true,
      "true",
      null,
      undefined,
      [],
      {},
      [1, 2],
      ["1;number 2"],
      new Date(0),
      new Date(0),
      () => 1,
      Number.NaN,
    ];
    expect(new Set(keys.map((value) => describe([value]).key)).size).toBe(keys.length);
  });

  it("takes variables and instances by identity", () => {
    const [variable, other, date] = [tf.variable(tf.scalar(1)), tf.variable(tf.scalar(1)), new Date()];
    expect(describe([variable, date]).key).toBe(describe([variable, date]).key);
    expect(describe([variable]).key).not.toBe(describe([other]).key);
    expect(describe([variable]).tensors).toEqual([]);
  });
});

it("mapTensors replaces tensors at any depth and leaves the rest", () => {
  const [before, after, date] = [tf.scalar(1), tf.scalar(2), new Date()];
  const tree = { a: before, b: [before, 3, { c: date }] };
  expect(mapTensors(tree, () => after)).toEqual({ a: after, b: [after, 3, { c: date }] });
  expect(tree.a).toBe(before);
});
