import type { ExplainResponse } from "@whittle/sdk";
import { describe, expect, it } from "vitest";
import { describe as text } from "./describe.ts";
import { heatMap } from "./heat-map.ts";

const found: ExplainResponse = {
  model_name: "m",
  model_version: "1",
  class: 1,
  label: "bag",
  output: "probability",
  value: 0.9,
  baseline_value: 0.1,
  baseline: "a raw value of 0",
  parts: { kind: "patches", grid: [2, 3], size: 4 },
  values: [0.8, 0.4, 0.2, 0.05, -0.05, -0.6],
  method: "exact",
  evaluations: 64,
};

describe("a heat map", () => {
  it("has a shade for each quarter of the largest magnitude, and none below half of the first", () => {
    const values = [1, 0.75, 0.5, 0.25, 0.125, 0.124, 0, -0.124, -0.125, -0.26, -0.51, -0.76];
    expect(heatMap(values, 12, 1)).toEqual(["█▓▒░░···-=≡#"]);
    expect(heatMap(values, 6, 2)).toEqual(["██▓▓▒▒░░░░··", "····--==≡≡##"]);
  });

  it("of nothing is empty", () => {
    expect(heatMap([0, 0], 2, 1)).toEqual(["··"]);
  });
});

describe("an explanation in words", () => {
  it("has the answer, the map, the five parts that count most and where it comes from", () => {
    expect(text(found, 0.25).split("\n")).toEqual([
      "bag: probability 0.900; of the baseline, a raw value of 0, 0.100",
      "",
      "██▒▒░░",
      "····≡≡",
      "█▓▒░ for it, #≡=- against it, strongest first; · less than an eighth of the strongest",
      "",
      "PART                       VALUE",
      "patch in row 0, column 0  +0.800",
      "patch in row 1, column 2  -0.600",
      "patch in row 0, column 1  +0.400",
      "patch in row 0, column 2  +0.200",
      "patch in row 1, column 0  +0.050",
      "",
      "patches of 4 x 4 in 2 x 3; exact; the model was run on 64 samples; 0.25 s",
    ]);
  });

  it("has the errors of estimates, and a text above its map", () => {
    const tokens = Array.from("my dog");
    const parts: ExplainResponse["parts"] = { kind: "tokens", grid: [3], size: 2 };
    const standard_errors = [0.01, 0.02, 0.03];
    const estimate = { ...found, parts, values: [0.5, 0, -0.5], standard_errors, permutations: 8 };
    const lines = text({ ...estimate, method: "permutations" }, 1, tokens).split("\n");
    expect(lines.slice(2, 4)).toEqual(["my␣dog", "██··##"]);
    expect(lines).toContain('tokens from 0 to 1 "my"  +0.500  0.010');
    expect(lines).toContain('tokens from 4 "og"       -0.500  0.030');
    expect(lines.at(-1)).toContain("3 runs of 2 tokens; estimated from 8 orders, with the standard error");
  });

  it("names columns by their number, and words apart", () => {
    const columns = { ...found, parts: { kind: "columns" as const, grid: [2], size: 1 }, values: [0.5, 0.3] };
    expect(text(columns, 1)).toContain("column 0  +0.500");
    expect(text(columns, 1)).toContain("2 columns; exact;");
    const words = { ...columns, parts: { kind: "tokens" as const, grid: [1], size: 2 }, values: [0.8] };
    expect(text(words, 1, ["good", "dog"])).toContain('tokens from 0 "good dog"  +0.800');
  });
});
