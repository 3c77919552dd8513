import { describe, expect, it } from "vitest";
import { modelWeights } from "../model-io/weights.ts";
import { initEngine } from "../runtime/init.ts";
import { multipliesBfloat16 } from "../runtime/bfloat16.ts";
import { chooseExecution, type Execution } from "./execution.ts";
import { fit } from "./fit.ts";
import { blobs, interruptionAt, tinyModel } from "./testing.ts";
import type { FitOptions } from "./types.ts";

await initEngine();

const long = { epochs: 500, batchSize: 16, seed: 7, restoreBest: false } satisfies Partial<FitOptions>;

async function train(options: Partial<FitOptions>) {
  const model = tinyModel(0.3);
  const result = await fit(model, { ...blobs(64, 1), ...long, ...options });
  return { result, weights: modelWeights(model) };
}

describe("the way in which steps run", () => {
  it("is a graph, in bfloat16 where that is asked for and the processor multiplies it", () => {
    const precision = multipliesBfloat16() ? "mixed_bfloat16" : "float32";
    expect(chooseExecution({})).toMatchObject({ mode: "graph", precision: "float32" });
    expect(chooseExecution({ precision: "mixed_bfloat16" })).toMatchObject({ mode: "graph", precision });
  });

  it.each(["eager", "graph-xla"] as const)("is %s when asked for, in float32 only", (mode) => {
    const reason = "asked for";
    expect(chooseExecution({ mode, precision: "mixed_bfloat16" })).toEqual({ mode, reason, precision: "float32" });
  });

  it("with XLA gives the same weights again, also after an interruption", async () => {
    const { steps } = (await sameAgain({ mode: "graph-xla" }, { mode: "graph-xla" })).result;
    expect(steps).toBe(2000);
  });

  it.skipIf(!multipliesBfloat16())("in bfloat16 gives the same weights again, also after an interruption", async () => {
    const { weights } = await sameAgain(
      { precision: "mixed_bfloat16" },
      { mode: "graph", precision: "mixed_bfloat16" },
    );
    expect(weights).not.toEqual((await train({ epochs: long.epochs })).weights);
    // Only what is multiplied is rounded: the weights have more than the 8 significant bits of a bfloat16.
    const finer = [...(weights["hidden/kernel"]?.data ?? [])].filter((w) => (bitsOf(w) & 0xffff) !== 0);
    expect(finer.length).toBeGreaterThan(8);
  });

  it("is in float32 op by op, and says so before the first step", async () => {
    const told: Execution[] = [];
    const settings = { precision: "mixed_bfloat16", mode: "eager", epochs: 1 } as const;
    const { result } = await train({ ...settings, onStart: (execution) => told.push(execution) });
    expect(told).toEqual([{ mode: "eager", reason: "asked for", precision: "float32" }]);
    expect(result.execution).toEqual(told[0]);
  });
});

/** Trains in one go, and interrupted, and sees that both give the same. */
async function sameAgain(options: Partial<FitOptions>, execution: Partial<Execution>) {
  const whole = await train(options);
  expect(whole.result.execution).toMatchObject(execution);
  const { stop, resume, savedStep } = interruptionAt(1234);
  await expect(train({ ...options, ...stop })).rejects.toMatchObject({ code: "cancelled" });
  expect(savedStep()).toBe(1234);
  expect((await train({ ...options, ...resume })).weights).toEqual(whole.weights);
  return whole;
}

const bitsOf = (value: number): number => new Uint32Array(Float32Array.of(value).buffer)[0] ?? 0;
