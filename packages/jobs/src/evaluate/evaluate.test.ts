import { proportion as proportionSchema } from "@whittle/contracts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { openBench, testJobKind, tinyTraining, type JobBench } from "../testing.ts";

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

  describe("with explanations", () => {
    const explained = async (params: object) => {
      const { metrics } = await bench.run("evaluate", { model: "tiny-base", ...params });
      return z.object({ explanations: z.record(z.string(), z.number()) }).parse(metrics).explanations;
    };

    it("finds a model to explain like itself, but for the drawing of orders", async () => {
      const { rankCorrelation, ofItself, samples } = await explained({
        explanations: { beside: "tiny-base", samples: 4 },
      });
      expect(samples).toBe(4);
      expect(rankCorrelation).toBe(ofItself);
      expect(ofItself).toBeLessThan(1);
      expect(ofItself).toBeGreaterThan(0.3);
    });

    it("finds a quantized one nearly as like, and one of other weights less so", async () => {
      await bench.run("quantize", { model: "tiny-base" }, { id: "tiny-int8" });
      await bench.run("train", { ...tinyTraining, seed: 8 }, { id: "tiny-other" });
      const beside = { beside: "tiny-base", samples: 16, evaluations: 4000 };
      const int8 = await explained({ model: "tiny-int8", explanations: beside });
      const other = await explained({ model: "tiny-other", explanations: beside });
      expect(int8["ofItself"]).toBe(other["ofItself"]);
      expect(int8["rankCorrelation"]).toBeGreaterThan((int8["ofItself"] ?? 1) - 0.05);
      expect(other["rankCorrelation"]).toBeLessThan((int8["rankCorrelation"] ?? 0) - 0.1);
    });

    it("stops amid a sample, whose explanations may take long", async () => {
      const stopping = new AbortController();
      const progress: number[] = [];
      const explanations = { beside: "tiny-base", evaluations: 20_000 };
      const running = bench.run(
        "evaluate",
        { model: "tiny-base", explanations },
        {
          signal: stopping.signal,
          emit: (event) => {
            if (event.type !== "progress") return;
            progress.push(event.fraction);
            if (event.fraction === 0.5) setTimeout(() => stopping.abort(), 20);
          },
        },
      );
      await expect(running).rejects.toMatchObject({ code: "cancelled" });
      expect(Math.max(...progress)).toBe(0.5);
    });

    it("needs the other model", async () => {
      const missing = bench.run("evaluate", { model: "tiny-base", explanations: { beside: "none" } });
      await expect(missing).rejects.toMatchObject({ code: "not_found" });
    });
  });

  it("takes a quantized model", async () => {
    await bench.run("quantize", { model: "tiny-base" }, { id: "int8" });
    const { metrics } = await bench.store.manifest((await bench.store.resolve("int8")).digest);
    expect(await evaluate({ model: "int8" })).toMatchObject({ accuracy: metrics.accuracy });
  });
});
