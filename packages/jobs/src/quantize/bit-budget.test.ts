import { describe, expect, it } from "vitest";
import { searchBitBudget, type BudgetOptions } from "./bit-budget.ts";
import { verdictOf } from "./testing.ts";

describe("the search within a budget of bits", () => {
  const weights: Record<string, number> = { a: 100, b: 100 };

  /** Layers that lose `costs` times 4^-bits; quantized together `interaction` besides where their bits differ. */
  function model(costs: Record<string, number>, interaction = 0) {
    const layers = Object.keys(costs);
    const evaluate: BudgetOptions["evaluate"] = (assignment) => {
      const made = layers.flatMap((name) => {
        const bits = assignment[name] ?? 8;
        return bits === "float" ? [] : [{ name, weights: weights[name] ?? 0, bits: Math.min(7, bits) }];
      });
      const lost = made.reduce((sum, { name, bits }) => sum + (costs[name] ?? 0) * 4 ** -bits, 0);
      const differ = new Set(made.map(({ bits }) => bits)).size > 1;
      return Promise.resolve({ bytes: 1000, layers: made, verdict: verdictOf(lost + (differ ? interaction : 0)) });
    };
    return { layers, evaluate, lowest: 1 };
  }

  it("gives the layer that loses more the more bits, and shows the same bits everywhere beside it", async () => {
    const found = await searchBitBudget({ ...model({ a: 16, b: 0.01 }), averageBits: 3.5 });
    expect(found.curves.map(({ layer, points }) => [layer, points.map(({ bits }) => bits)])).toEqual([
      // 8 bits are not to be had here.
      ["a", [7, 6, 5, 4, 3, 2, 1]],
      ["b", [7, 6, 5, 4, 3, 2, 1]],
    ]);
    expect(found).toMatchObject({ chosen: "allocated", averageBits: 3.5 });
    expect(found.allocated).toMatchObject({ averageBits: 3.5, bits: { a: 6, b: 1 } });
    expect(found.allocated.expectedDivergence).toBeCloseTo(16 * 4 ** -6 + 0.01 / 4, 12);
    expect(found.uniform).toMatchObject({ averageBits: 3, bits: { a: 3, b: 3 } });
  });

  it("keeps the same bits everywhere where the layers together lose more than each alone", async () => {
    const found = await searchBitBudget({ ...model({ a: 16, b: 0.01 }, 10), averageBits: 3.5 });
    expect(found.allocated.verdict.divergence).toBeGreaterThan(10);
    expect(found.chosen).toBe("uniform");
  });

  it("is refused where the layers can't have so few bits, and says how few they can", async () => {
    const { evaluate, ...rest } = model({ a: 1, b: 1 });
    const atLeastTwo: BudgetOptions["evaluate"] = async (assignment) => {
      const tried = await evaluate(assignment);
      return { ...tried, layers: tried.layers.map((layer) => ({ ...layer, bits: Math.max(2, layer.bits) })) };
    };
    const refused = searchBitBudget({ ...rest, evaluate: atLeastTwo, averageBits: 1.5 });
    const issue = { path: "params.averageBits", message: "must be at least 2.00 for the layers of this model" };
    await expect(refused).rejects.toMatchObject({ code: "invalid_request", issues: [issue] });
  });
});
