import { proportion as proportionSchema } from "@whittle/contracts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { openBench, testJobKind, type JobBench } from "../testing.ts";

testJobKind("evaluate", { params: { model: "tiny-base" } });

const evaluation = z.object({
  accuracy: proportionSchema,
  loss: z.number(),
  perClass: z.record(z.string(), z.number()),
  confusion: z.array(z.array(z.number())),
});

describe("evaluating", () => {
  let bench: JobBench;
  beforeAll(async () => {
    bench = await openBench();
  });
  afterAll(() => bench.close());

  const evaluate = async (params: object) =>
    evaluation.parse((await bench.run("evaluate", { model: "tiny-base", ...params })).metrics);

  it("gives the accuracy and loss that the artifact carries", async () => {
    const { metrics } = await bench.store.manifest((await bench.store.resolve("tiny-base")).digest);
    expect(await evaluate({})).toMatchObject({ accuracy: metrics.accuracy, loss: metrics.loss });
  });

  it("gives classes and a confusion matrix that add up to the accuracy", async () => {
    const { accuracy, perClass, confusion } = await evaluate({ split: "train", limit: { train: 100 } });
    const right = confusion.map((row, label) => row[label] ?? 0);
    expect(confusion.flat().reduce((a, b) => a + b)).toBe(100);
    expect(right.reduce((a, b) => a + b) / 100).toBe(accuracy.value);
    // The patterns take turns: 25 of each in the first 100.
    expect(Object.keys(perClass)).toEqual(["rows", "columns", "diagonals", "checks"]);
    expect(Object.values(perClass)).toEqual(right.map((count) => count / 25));
  });

  it("takes a quantized model", async () => {
    await bench.run("quantize", { model: "tiny-base" }, { id: "int8" });
    const { metrics } = await bench.store.manifest((await bench.store.resolve("int8")).digest);
    expect(await evaluate({ model: "int8" })).toMatchObject({ accuracy: metrics.accuracy });
  });
});
