/** @module-tag tensorflow */
import { beforeAll, describe, expect, it } from "vitest";
import { initEngine } from "../runtime/init.ts";
import { tf } from "../tf.ts";
import { compile } from "./compile.ts";
import { distance } from "./testing/models.ts";

beforeAll(async () => void (await initEngine()));

describe("a compiled function", () => {
  it("takes and gives nested structures, and gives back the very arguments, variables and captured tensors it returns", () => {
    const [captured, variable] = [tf.scalar(3), tf.variable(tf.scalar(4))];
    const compiled = compile(({ a, list }: { a: tf.Tensor; list: tf.Tensor[] }, name: string) => ({
      name,
      sums: list.map((item) => item.add(a)),
      same: [a, captured, variable],
      copies: [a.clone(), captured.clone(), variable.clone()],
      constant: tf.scalar(7),
    }));
    for (let call = 0; call < 4; call++) {
      const a = tf.scalar(call);
      variable.assign(tf.scalar(10 + call));
      const result = compiled({ a, list: [tf.scalar(1), tf.scalar(2)] }, "n");
      expect(result.name).toBe("n");
      expect(result.sums.map((sum) => sum.dataSync()[0])).toEqual([1 + call, 2 + call]);
      for (const [at, tensor] of [a, captured, variable].entries()) expect(result.same[at]).toBe(tensor);
      expect(result.copies.map((copy) => copy.dataSync()[0])).toEqual([call, 3, 10 + call]);
      expect(result.constant.dataSync()[0]).toBe(7);
    }
  });

  it("makes one graph for each combination of shapes, types and JavaScript arguments", () => {
    const compiled = compile((x: tf.Tensor, by: number) => x.mul(by));
    for (let call = 0; call < 3; call++) {
      expect(compiled(tf.tensor1d([1, 2]), 2).arraySync()).toEqual([2, 4]);
      expect(compiled(tf.tensor1d([1, 2, 3]), 2).arraySync()).toEqual([2, 4, 6]);
      expect(compiled(tf.tensor1d([1, 2], "int32"), 2).arraySync()).toEqual([2, 4]);
      expect(compiled(tf.tensor1d([1, 2]), 3).arraySync()).toEqual([3, 6]);
    }
    expect(compiled.graphs).toBe(4);
    compiled.dispose();
    expect(compiled.graphs).toBe(0);
    expect(compiled(tf.tensor1d([1, 2]), 3).arraySync()).toEqual([3, 6]);
  });

  it("feeds tensors that existed before, and sees a variable's new value", () => {
    const data = tf.tensor2d([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    const mask = tf.variable(tf.tensor1d([1, 0]));
    const compiled = compile((at: tf.Tensor1D) => tf.gather(data, at).mul(mask));
    for (let call = 0; call < 3; call++) {
      expect(compiled(tf.tensor1d([call], "int32")).arraySync()).toEqual([[2 * call + 1, 0]]);
    }
    mask.assign(tf.tensor1d([0, 1]));
    expect(compiled(tf.tensor1d([1], "int32")).arraySync()).toEqual([[0, 4]]);
  });

  it("reads live numbers at every call", () => {
    let rate = 1;
    const weight = tf.variable(tf.scalar(0));
    const compiled = compile(
      (by: tf.Scalar, live: { rate: tf.Scalar }) => weight.assign(weight.add(by.mul(live.rate)).asScalar()),
      {
        live: () => ({ rate }),
      },
    );
    const seen: number[] = [];
    for (let call = 0; call < 5; call++) {
      rate = 10 ** call;
      compiled(tf.scalar(1));
      seen.push(weight.dataSync()[0] ?? NaN);
    }
    expect(seen).toEqual([1, 11, 111, 1111, 11111]);
    expect(compiled.graphs).toBe(1);
  });

  it("keeps a clone of a variable as it was", () => {
    const variable = tf.variable(tf.tensor1d([1, 2]));
    const compiled = compile((by: tf.Tensor1D) => variable.assign(variable.add(by).as1D()));
    const one = tf.tensor1d([1, 1]);
    for (let call = 0; call < 3; call++) compiled(one);
    const copy = variable.clone();
    compiled(one);
    expect(copy.arraySync()).toEqual([4, 5]);
    expect(variable.arraySync()).toEqual([5, 6]);
  });
});

describe("gradients and compiled functions", () => {
  it("a compiled function gives the gradient of a value with a custom gradient, clipped by value and by norm", () => {
    const weight = tf.variable(tf.tensor1d([3, -4]));
    const straight = tf.customGrad((x) => {
      if (!(x instanceof tf.Tensor)) throw new TypeError("not a tensor");
      return { value: tf.round(x), gradFunc: (dy: tf.Tensor) => [dy] };
    });
    const fn = (x: tf.Tensor1D) => {
      const { grads } = tf.variableGrads(() => straight(weight.mul(x)).square().sum().asScalar(), [weight]);
      const gradient = grads[weight.name] ?? x;
      return [gradient.clipByValue(-5, 5), gradient.div(tf.maximum(1, tf.norm(gradient)))];
    };
    const compiled = compile(fn);
    for (const x of [tf.tensor1d([1, 1]), tf.tensor1d([0.1, 2.3]), tf.tensor1d([0.7, -1])]) {
      const expected = fn(x);
      for (const [at, value] of compiled(x).entries()) {
        expect(distance(value.dataSync(), expected[at]?.dataSync() ?? [])).toBeLessThan(1e-6);
      }
    }
  });

  it("a compiled function is differentiable and can be part of another one: it then runs as the plain function", () => {
    const inner = compile((x: tf.Tensor) => x.square().sum());
    const outer = compile((x: tf.Tensor) => inner(x).add(1));
    for (let call = 0; call < 3; call++) {
      expect(
        tf
          .grad((x) => inner(x))(tf.tensor1d([call, 1]))
          .arraySync(),
      ).toEqual([2 * call, 2]);
      expect(outer(tf.tensor1d([call, 1])).dataSync()[0]).toBe(call ** 2 + 2);
    }
    expect(inner.graphs).toBe(0);
  });
});
