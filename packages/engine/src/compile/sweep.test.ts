/** @module-tag tensorflow */
import { beforeAll, describe, expect, it } from "vitest";
import { initEngine } from "../runtime/init.ts";
import { tf } from "../tf.ts";
import { compile } from "./compile.ts";
import { distance } from "./testing/models.ts";
import { cases, type Case } from "./testing/op-cases.ts";

beforeAll(async () => void (await initEngine()));

function makeInputs(group: Record<string, Case>, seed: number): tf.Tensor[] {
  return Object.values(group).flatMap(({ inputs }) => inputs.map((input, at) => input(seed + at)));
}

/** Every case's value and, where it has one, its gradient for a fixed upstream gradient. */
function evaluate(group: Record<string, Case>, inputs: tf.Tensor[]): Record<string, tf.Tensor[]> {
  const results: Record<string, tf.Tensor[]> = {};
  let at = 0;
  for (const [name, { inputs: shapes, fn, gradient = true }] of Object.entries(group)) {
    const own = inputs.slice(at, at + shapes.length);
    at += shapes.length;
    const values = [fn(...own)].flat();
    const [first] = values;
    const differentiable = gradient && first?.dtype === "float32";
    const upstream = differentiable ? tf.cos(tf.range(0, first.size).reshape(first.shape)) : undefined;
    const grads = upstream ? tf.grads((...xs) => [fn(...xs)].flat()[0] ?? upstream)(own, upstream) : [];
    results[name] = [...values, ...grads];
  }
  return results;
}

describe.each(Object.entries(cases))("%s", (_, group) => {
  it("give in the graph what they give eagerly, forward and backward", () => {
    const compiled = compile((...inputs: tf.Tensor[]) => evaluate(group, inputs));
    for (const round of [1, 2, 3]) {
      const inputs = makeInputs(group, round * 10);
      const expected = evaluate(group, inputs);
      const found = compiled(...inputs);
      for (const [name, values] of Object.entries(expected)) {
        for (const [at, value] of values.entries()) {
          const other = found[name]?.[at];
          expect(other?.shape, `${name} ${at}`).toEqual(value.shape);
          expect(other?.dtype, `${name} ${at}`).toBe(value.dtype);
          expect(distance(value.dataSync(), other?.dataSync() ?? []), `${name} ${at}`).toBeLessThan(2e-6);
        }
      }
    }
    expect(compiled.graphs).toBe(1);
    compiled.dispose();
  });
});
