import { describe, expect, it } from "vitest";
import type { Verdict } from "./judge.ts";
import { searchMixedPrecision, type Assignment, type SearchOptions } from "./mixed-precision.ts";

/** A model whose layers each cost a fixed accuracy at 4 bits, a tenth of that at 8, and nothing in float. */
function model(costs: Record<string, number>, precisions: SearchOptions["precisions"] = [4, 8, "float"]) {
  const layers = Object.keys(costs);
  const evaluate = (assignment: Assignment): Promise<Verdict> => {
    const lost = layers.reduce((sum, layer) => {
      const precision = assignment[layer] ?? precisions[0];
      return sum + (costs[layer] ?? 0) * (precision === "float" ? 0 : precision === 8 ? 0.1 : 1);
    }, 0);
    const same = { loss: lost, agreement: 1, maxDifference: 0, meanDifference: 0 };
    return Promise.resolve({ ...same, accuracy: 1 - lost, divergence: lost });
  };
  return { layers, precisions, evaluate };
}

describe("the search for a mixed precision", () => {
  it("changes nothing where all layers are inside the tolerance, and says what each costs", async () => {
    const found = await searchMixedPrecision({ ...model({ a: 0.01, b: 0.03 }), least: 0.95 });
    expect(found).toMatchObject({ assignment: {}, steps: [] });
    expect(found.sensitivity.map(({ layer, verdict }) => [layer, verdict.divergence])).toEqual([
      ["a", 0.01],
      ["b", 0.03],
    ]);
  });

  it("raises the layer that costs most first, and only as far as is needed", async () => {
    const found = await searchMixedPrecision({ ...model({ a: 0.01, b: 0.2, c: 0.02 }), least: 0.94 });
    expect(found.assignment).toEqual({ b: 8 });
    expect(found.verdict.accuracy).toBeCloseTo(0.95, 10);
  });

  it("goes to float where 8 bits don't do", async () => {
    const found = await searchMixedPrecision({ ...model({ a: 0.1, b: 0.9 }, [8, "float"]), least: 0.985 });
    expect(found.assignment).toEqual({ b: "float" });
  });

  it("lowers again what was raised for nothing, the least sensitive first", async () => {
    // a and b must go up for c's turn to come, but with c up a is inside the tolerance at 4 bits.
    const costs = { a: 0.03, b: 0.04, c: 0.03 };
    const base = model(costs);
    const evaluate = async (assignment: Assignment): Promise<Verdict> => {
      const verdict = await base.evaluate(assignment);
      const stuck =
        assignment["c"] === undefined &&
        Object.keys(assignment).length < 3 &&
        !("b" in assignment && "a" in assignment && "c" in assignment);
      return stuck ? { ...verdict, accuracy: Math.min(verdict.accuracy, 0.9) } : verdict;
    };
    const found = await searchMixedPrecision({ ...base, evaluate, least: 0.92 });
    expect(found.assignment).toEqual({ c: 8 });
    expect(found.steps.filter(({ to, kept }) => to === 4 && kept).map(({ layer }) => layer)).toEqual(["a", "b"]);
  });

  it("is refused where no layer can be quantized", async () => {
    const hopeless = searchMixedPrecision({ ...model({ a: 5, b: 5 }), least: 1 });
    await expect(hopeless).rejects.toMatchObject({ code: "unsupported" });
  });
});
