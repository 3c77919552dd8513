import { beforeAll, expect, it, vi } from "vitest";
import { initEngine } from "../runtime/init.ts";
import { tf } from "../tf.ts";
import { compile } from "./compile.ts";

beforeAll(async () => {
  process.env["WHITTLE_BACKEND"] = "wasm";
  await initEngine();
});

it("on another backend a compiled function runs as it is, which is said once", () => {
  const warn = vi.spyOn(console, "warn").mockReturnValue();
  const weight = tf.variable(tf.scalar(1));
  const before = tf.memory().numTensors;
  let rate = 1;
  const compiled = compile(
    (x: tf.Scalar, live: { rate: tf.Scalar }) => weight.assign(weight.add(x.mul(live.rate)).asScalar()),
    {
      live: () => ({ rate }),
    },
  );
  const other = compile((x: tf.Tensor) => x.mul(2));
  for (rate = 1; rate <= 3; rate++) {
    compiled(tf.scalar(2));
    other(tf.scalar(2)).dispose();
  }
  expect(weight.dataSync()[0]).toBe(13);
  expect([compiled.graphs, compiled.calls]).toEqual([0, 3]);
  expect(tf.memory().numTensors).toBe(before + 6);
  expect(warn.mock.calls).toEqual([[expect.stringContaining("run eagerly")]]);
});
