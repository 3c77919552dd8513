import { beforeAll, describe, expect, it } from "vitest";
import { initEngine } from "../runtime/init.ts";
import { tf } from "../tf.ts";
import { compile } from "./compile.ts";

beforeAll(async () => void (await initEngine()));

const draw = () => ({
  uniform: tf.randomUniform([2000], -3, 5),
  normal: tf.randomNormal([2000], 2, 0.5),
  truncated: tf.truncatedNormal([2000], -1, 2),
});
const numbers = (seed: number, calls: number) => {
  const compiled = compile(draw, { seed });
  return Array.from({ length: calls }, () =>
    tf.tidy(() => Object.values(compiled()).map((drawn) => Array.from(drawn.dataSync()))),
  );
};

const moments = (values: number[]) => {
  const mean = values.reduce((a, b) => a + b) / values.length;
  return [mean, Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length)];
};

const close = (values: number[], mean: number, deviation: number) => {
  expect(Math.abs((moments(values)[0] ?? NaN) - mean)).toBeLessThan((5 * deviation) / Math.sqrt(values.length));
  expect(Math.abs((moments(values)[1] ?? NaN) - deviation)).toBeLessThan(0.06 * deviation);
};

describe("random numbers in a compiled function", () => {
  it("follow the distributions that were asked for", () => {
    const [uniform = [], normal = [], truncated = []] = numbers(1, 3)[2] ?? [];
    close(uniform, 1, 8 / Math.sqrt(12));
    close(normal, 2, 0.5);
    close(truncated, -1, 2 * 0.8796);
    expect(Math.min(...uniform)).toBeGreaterThanOrEqual(-3);
    expect(Math.max(...truncated)).toBeLessThanOrEqual(3.0001);
  });

  it("differ from call to call and from draw to draw, and follow from seed and call number", () => {
    const [first, again, other] = [numbers(1, 4), numbers(1, 4), numbers(2, 4)];
    expect(first).toEqual(again);
    expect(first[3]).not.toEqual(other[3]);
    expect(first[3]).not.toEqual(first[2]);
    const twice = compile(() => [tf.randomUniform([5]), tf.randomUniform([5])], { seed: 1 })();
    expect(twice[0]?.arraySync()).not.toEqual(twice[1]?.arraySync());
    const resumed = compile(draw, { seed: 1 });
    resumed.calls = 3;
    expect(Object.values(resumed()).map((drawn) => Array.from(drawn.dataSync()))).toEqual(first[3]);
  });

  it("of a seeded op stay the same, as they do eagerly", () => {
    const compiled = compile(() => tf.randomUniform([4], 0, 1, "float32", 42));
    for (let call = 0; call < 3; call++) {
      expect(compiled().arraySync()).toEqual(tf.randomUniform([4], 0, 1, "float32", 42).arraySync());
    }
  });

  it("make dropout keep its share with a new mask at each call", () => {
    const compiled = compile((x: tf.Tensor) => tf.dropout(x, 0.25));
    const masks = Array.from({ length: 3 }, () => compiled(tf.ones([4000])).dataSync());
    for (const mask of masks) {
      expect(new Set(mask.map((value) => Math.round(value * 1e4)))).toEqual(new Set([0, 13333]));
      expect(mask.filter((value) => value > 0).length / mask.length).toBeCloseTo(0.75, 1);
    }
    expect(masks[1]).not.toEqual(masks[2]);
  });

  it("choose categories by their probabilities", () => {
    const compiled = compile((logits: tf.Tensor2D) => tf.multinomial(logits, 1000));
    const logits = tf.log(tf.tensor2d([[0.2, 0.8]])).as2D(1, 2);
    for (let call = 0; call < 3; call++) {
      const ones = compiled(logits).sum().dataSync()[0] ?? NaN;
      expect(Math.abs(ones - 800)).toBeLessThan(100);
    }
  });
});
