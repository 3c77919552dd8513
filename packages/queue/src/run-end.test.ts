import { expect, it } from "vitest";
import { backoffMs } from "./run-end.ts";

it("the wait before another run doubles up to a minute, and differs from job to job", () => {
  for (const [failures, longest] of [
    [0, 1000],
    [1, 2000],
    [5, 32_000],
    [6, 60_000],
    [40, 60_000],
  ] as const) {
    const waits = Array.from({ length: 200 }, () => backoffMs(failures));
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(longest / 2);
    expect(Math.max(...waits)).toBeLessThanOrEqual(longest);
    expect(new Set(waits).size).toBeGreaterThan(100);
  }
});
