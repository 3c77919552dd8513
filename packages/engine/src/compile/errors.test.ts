/** @module-tag tensorflow */
import { beforeAll, describe, expect, it } from "vitest";
import { initEngine } from "../runtime/init.ts";
import { tf } from "../tf.ts";
import { compile } from "./compile.ts";

beforeAll(async () => void (await initEngine()));

const x = () => tf.tensor1d([1, 2, 3]);

describe("a function that a graph can't do is refused", () => {
  it.each<[string, (x: tf.Tensor1D) => unknown, RegExp]>([
    ["reads a value", (a) => (a.sum().dataSync()[0] ?? 0) > 1 && a.mul(2), /values were read .* tf\.where/],
    ["swallows that error", (a) => swallow(() => a.sum().dataSync(), a), /values were read/],
    ["calls Math.random", (a) => a.mul(Math.random()), /Math\.random\(\).*tf\.randomUniform/],
    ["shuffles in JavaScript", (a) => (tf.util.shuffle([1, 2, 3]), a.mul(2)), /Math\.random/],
    [
      "draws integers in JavaScript",
      () => tf.randomUniform([4], 0, 100, "int32"),
      /randomUniform.*pass them as an argument/,
    ],
    ["is asynchronous", (a) => Promise.resolve(a), /synchronous/],
  ])("that %s", (_, fn, message) => {
    const compiled = compile(fn);
    expect(() => compiled(x())).toThrow(message);
    expect(() => compiled(x())).toThrow(message);
    expect(Math.random.toString()).toContain("native code");
  });

  it("that makes a variable in every call", () => {
    const compiled = compile((a: tf.Tensor1D) => tf.variable(a).mul(2));
    compiled(x());
    expect(() => compiled(x())).toThrow(/makes a variable .* make it once/);
  });

  it("that keeps a tensor beyond the call", () => {
    const compiled = compile((a: tf.Tensor1D) => tf.keep(a.mul(2)).sum());
    compiled(x());
    expect(() => compiled(x())).toThrow(/keeps a tensor of shape \[3\].*tf\.Variable/);
  });

  it("that keeps the state of a recurrent layer", () => {
    const model = tf.sequential({
      layers: [tf.layers.simpleRNN({ units: 2, stateful: true, batchInputShape: [1, 3, 1] })],
    });
    const compiled = compile((a: tf.Tensor) => model.apply(a));
    const input = x().reshape([1, 3, 1]);
    expect(() => {
      compiled(input);
      compiled(input);
      compiled(input);
    }).toThrow(/keeps a tensor|not the same/);
  });

  it("that disposes a variable", () => {
    const variable = tf.variable(x());
    const compiled = compile((a: tf.Tensor1D) => {
      const sum = a.add(variable);
      if (compiled.calls > 0) variable.dispose();
      return sum;
    });
    compiled(x());
    expect(() => compiled(x())).toThrow(/disposes a variable/);
  });

  it("whose numbers change from call to call, naming both", () => {
    let rate = 0.5;
    const compiled = compile((a: tf.Tensor1D) => a.mul(rate));
    compiled(x());
    rate = 0.25;
    expect(() => compiled(x())).toThrow(/constant 0\.5 in mul \(Mul\).*0\.25.*live/);
  });

  it("that does something else the second time", () => {
    let calls = 0;
    const compiled = compile((a: tf.Tensor1D) => (calls++ === 0 ? a.mul(2) : a.add(2)));
    compiled(x());
    expect(() => compiled(x())).toThrow(/did Mul .*in mul the first time and Add /);
  });

  it("that needs more graphs than it may have", () => {
    const compiled = compile((a: tf.Tensor1D, by: number) => a.mul(by), { maxGraphs: 2 });
    compiled(x(), 1);
    compiled(x(), 2);
    expect(() => compiled(x(), 3)).toThrow(/2 graphs already.*number 3.*maxGraphs/);
    expect(compiled(x(), 2).arraySync()).toEqual([2, 4, 6]);
  });
});

describe("when a call fails", () => {
  it("variables, iterations and hooks are as before a throw in the function", () => {
    const variable = tf.variable(x());
    let fail = false;
    const compiled = compile((a: tf.Tensor1D) => {
      variable.assign(variable.add(a).as1D());
      if (fail) throw new RangeError("in the middle");
      return variable.sum();
    });
    fail = true;
    expect(() => compiled(x())).toThrow(RangeError);
    expect(variable.arraySync()).toEqual([1, 2, 3]);
    fail = false;
    expect(compiled(x()).dataSync()[0]).toBe(12);
    expect(compiled(x()).dataSync()[0]).toBe(18);
    expect(compiled(x()).dataSync()[0]).toBe(24);
  });

  it("variables are as before a failed run of the graph, whose error names the operation", () => {
    const table = tf.variable(tf.tensor1d([10, 20, 30]));
    const compiled = compile((at: tf.Tensor1D) => {
      table.assign(table.add(1).as1D());
      return tf.gather(table, at);
    });
    const good = tf.tensor1d([0, 2], "int32");
    for (let call = 0; call < 3; call++) compiled(good);
    expect(() => compiled(tf.tensor1d([0, 7], "int32"))).toThrow(/in gather \(GatherV2\).*not in \[0, 3\)/);
    expect(table.arraySync()).toEqual([13, 23, 33]);
    expect(compiled(good).arraySync()).toEqual([14, 34]);
  });

  it("a shape that depends on values and is another than the traced one is refused", () => {
    const compiled = compile((a: tf.Tensor1D) => tf.unique(a).values, { verify: false });
    expect(compiled(tf.tensor1d([1, 1, 2])).arraySync()).toEqual([1, 2]);
    expect(compiled(tf.tensor1d([5, 6, 6])).arraySync()).toEqual([5, 6]);
    expect(() => compiled(tf.tensor1d([1, 2, 3]))).toThrow(/shape/);
  });
});

function swallow<T>(read: () => unknown, otherwise: T): T {
  try {
    read();
  } catch {
    // As code does that has a fallback.
  }
  return otherwise;
}
