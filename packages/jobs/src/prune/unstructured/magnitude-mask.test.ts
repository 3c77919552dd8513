import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { magnitudeMask } from "./magnitude-mask.ts";

const fixture = z.object({
  weights: z.array(z.array(z.number())),
  cases: z.array(
    z.object({ scope: z.enum(["local", "global"]), amount: z.number(), masks: z.array(z.array(z.number())) }),
  ),
});
const torch = fixture.parse(JSON.parse(await readFile(new URL("fixtures/torch-prune.json", import.meta.url), "utf8")));

const masks = (...args: Parameters<typeof magnitudeMask>) => magnitudeMask(...args).map((mask) => Array.from(mask));
const zeros = (mask: number[]) => mask.filter((keep) => keep === 0).length;

describe("magnitudeMask", () => {
  it("compares all layers together when global", () => {
    expect(masks([Float32Array.of(0.1, -0.4, 0.2, 0.25), Float32Array.of(-5, 0.3)], "global", { amount: 0.5 })).toEqual(
      [
        [0, 1, 0, 0],
        [1, 1],
      ],
    );
  });

  it("takes the same share of each layer when local", () => {
    expect(masks([Float32Array.of(0.1, -0.4, 0.2, 0.25), Float32Array.of(-5, 0.3)], "local", { amount: 0.5 })).toEqual([
      [0, 1, 0, 1],
      [1, 0],
    ]);
  });

  it("cuts below a threshold and keeps what lies on it", () => {
    expect(masks([Float32Array.of(0.25, -0.25, 0.2, -0.3)], "global", { threshold: 0.25 })).toEqual([[1, 1, 0, 1]]);
  });

  it.each(torch.cases)("agrees with torch: $scope, amount $amount", ({ scope, amount, masks: expected }) => {
    const weights = torch.weights.map((layer) => Float32Array.from(layer));
    expect(masks(weights, scope, { amount })).toEqual(expected);
  });

  it("prunes exactly the share asked for when magnitudes are equal, the first ones first", () => {
    const equal = Float32Array.of(1, -1, 1, -1, 1, 2);
    expect(masks([equal], "global", { amount: 0.5 })).toEqual([[0, 0, 0, 1, 1, 1]]);
  });

  it("prunes round(n amount) weights for every amount", () => {
    const weights = Float32Array.from({ length: 137 }, (_, i) => Math.fround(Math.sin(i + 1)));
    for (let amount = 0; amount <= 1; amount += 1 / 64) {
      expect(zeros(masks([weights], "global", { amount })[0] ?? [])).toBe(Math.round(137 * amount));
    }
  });

  it("never lets go of a zero that is there already", () => {
    expect(masks([Float32Array.of(0, -0, 1, 2)], "global", { amount: 0.25 })).toEqual([[0, 0, 1, 1]]);
    expect(masks([Float32Array.of(0, 1)], "global", { threshold: 0 })).toEqual([[0, 1]]);
  });
});
