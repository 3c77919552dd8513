/** @module-tag tensorflow */
import { beforeAll, describe, expect, it } from "vitest";
import { initEngine } from "../runtime/init.ts";
import { nativeBinding } from "../runtime/native.ts";
import { tf } from "../tf.ts";
import { adamUpdate } from "./adam.ts";
import { compile } from "./compile.ts";
import { distance } from "./testing/models.ts";

beforeAll(async () => void (await initEngine()));

const settings = { beta1: 0.9, beta2: 0.99, epsilon: 1e-4 };

/** Variables [2] with values that count up, and a compiled function that adds to them. */
function counter() {
  const a = tf.tidy(() => tf.variable(tf.tensor1d([0, 10])));
  const b = tf.tidy(() => tf.variable(tf.tensor1d([0, 1])));
  const add = compile((by: tf.Scalar) => {
    a.assign(tf.add(a, by));
    b.assign(tf.add(b, a));
  });
  const one = tf.scalar(1);
  const run = (calls: number) => {
    for (let call = 0; call < calls; call++) add(one);
  };
  return { a, b, add, run };
}

function handles(): number {
  return nativeBinding()?.getNumOfTensors() ?? 0;
}

describe("variables between two runs of a graph", () => {
  it("have no handle while nobody looks, and all have one once somebody looks at one", () => {
    const { a, b, run } = counter();
    run(3);
    const before = handles();
    expect(a.arraySync()).toEqual([3, 13]);
    expect(handles()).toBe(before + 2);
    expect(b.arraySync()).toEqual([6, 37]);
    expect(handles()).toBe(before + 2);
    run(1);
    expect(handles()).toBe(before);
    expect(b.arraySync()).toEqual([10, 51]);
  });

  it("are seen by operations, and take what is assigned from outside", () => {
    const { a, b, run } = counter();
    run(3);
    expect(tf.add(a, b).arraySync()).toEqual([9, 50]);
    run(1);
    a.assign(tf.tensor1d([100, 200]));
    run(1);
    expect(a.arraySync()).toEqual([101, 201]);
    expect(b.arraySync()).toEqual([111, 252]);
  });

  it("leave a clone as it was, also one that is made variable or disposed later", () => {
    const { a, b, run } = counter();
    run(3);
    const clone = a.clone();
    run(2);
    expect(clone.arraySync()).toEqual([3, 13]);
    expect(a.arraySync()).toEqual([5, 15]);
    a.assign(clone);
    run(1);
    expect(clone.arraySync()).toEqual([3, 13]);
    clone.dispose();
    b.assign(a.clone());
    run(1);
    expect(a.arraySync()).toEqual([5, 15]);
    expect(b.arraySync()).toEqual([9, 29]);
  });

  it("go from one compiled function to another and to another shape's graph", () => {
    const weight = tf.tidy(() => tf.variable(tf.scalar(1)));
    const [double, add] = [
      compile(() => weight.assign(tf.mul(weight, 2))),
      compile((x: tf.Tensor) => weight.assign(tf.add(weight, tf.sum(x)).asScalar())),
    ];
    let expected = 1;
    for (let call = 0; call < 4; call++) {
      double();
      add(tf.ones([call % 2 === 0 ? 2 : 3]));
      expected = expected * 2 + (call % 2 === 0 ? 2 : 3);
    }
    expect(add.graphs).toBe(2);
    expect(weight.dataSync()[0]).toBe(expected);
  });

  it("keep their values when the function is disposed, and can be disposed before it", () => {
    const { a, b, add, run } = counter();
    run(3);
    b.dispose();
    expect(a.arraySync()).toEqual([3, 13]);
    const other = counter();
    other.run(4);
    other.add.dispose();
    expect(other.a.arraySync()).toEqual([4, 14]);
    other.run(1);
    expect(other.b.arraySync()).toEqual([15, 66]);
    add.dispose();
  });

  it("exchange their values within one call", () => {
    const [a, b] = [tf.variable(tf.scalar(1)), tf.variable(tf.scalar(2))];
    const exchange = compile(() => {
      const had = tf.clone(a);
      a.assign(b.clone());
      b.assign(had);
    });
    for (let call = 0; call < 3; call++) exchange();
    expect([a.dataSync()[0], b.dataSync()[0]]).toEqual([2, 1]);
  });
});

describe("Adam in kept variables", () => {
  /** Adam on a weight that is changed before (weight decay) or after (a mask), that is given out, and used in a failing lookup. */
  function adam(change: { decay?: boolean; mask?: boolean }) {
    const make = (values: number[]) => tf.tidy(() => tf.variable(tf.tensor1d(values)));
    const [weight, mean, square, average] = [make([1, -2, 3]), make([0, 0, 0]), make([0, 0, 0]), make([0, 0, 0])];
    const step = (at: tf.Tensor1D) => {
      const before = tf.clone(weight);
      const looked = tf.gather(weight, at);
      const decayed = change.decay ? tf.mul(weight, 0.9) : weight;
      const update = { weight: decayed, mean, square, gradient: tf.sin(weight), rate: tf.scalar(0.1) };
      const next = adamUpdate(update, settings);
      mean.assign(next.mean.as1D());
      square.assign(next.square.as1D());
      weight.assign((change.mask ? tf.mul(next.weight, [1, 0, 1]) : next.weight).as1D());
      average.assign(tf.add(tf.mul(average, 0.5), tf.mul(weight, 0.5)));
      return { before, looked };
    };
    const state = () => [weight, mean, square, average].flatMap((variable) => [...variable.dataSync()]);
    return { step, state };
  }

  it.each([{}, { decay: true }, { mask: true }, { decay: true, mask: true }])(
    "does what it does op by op, with %j; what is given out is from before",
    (change) => {
      const [eager, compiled] = [adam(change), adam(change)];
      const fast = compile(compiled.step);
      const at = tf.tensor1d([2, 0], "int32");
      for (let call = 0; call < 8; call++) {
        const [expected, given] = [eager.step(at), fast(at)];
        expect(distance(given.before.dataSync(), expected.before.dataSync())).toBeLessThan(2e-6);
        expect(distance(given.looked.dataSync(), expected.looked.dataSync())).toBeLessThan(2e-6);
        // Looking in between must change nothing.
        if (call % 3 === 2) compiled.state();
      }
      expect(distance(compiled.state(), eager.state())).toBeLessThan(2e-6);
    },
  );

  it("has changed nothing when another operation of the run fails", () => {
    const { step, state } = adam({ decay: true });
    const compiled = compile(step);
    const [good, bad] = [tf.tensor1d([2, 0], "int32"), tf.tensor1d([0, 9], "int32")];
    for (let call = 0; call < 3; call++) compiled(good);
    const before = state();
    expect(() => compiled(bad)).toThrow(/in gather \(GatherV2\)/);
    expect(state()).toEqual(before);
    compiled(good);
    expect(() => compiled(bad)).toThrow(/in gather \(GatherV2\)/);
    compiled(good);
    expect(state()).not.toEqual(before);
  });
});
