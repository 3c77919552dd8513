import { describe, expect, it } from "vitest";
import { fewestBits } from "./plan.ts";

/** A trial of so many bits, the bytes of its file and its accuracy. */
const trial = ([setting, bytes, accuracy]: readonly [number, number, number]) => ({
  setting,
  bytes,
  verdict: { accuracy, loss: 0, divergence: 0, agreement: 1, maxDifference: 0, meanDifference: 0 },
});

describe("the fewest bits", () => {
  it.each([
    [
      "are those inside the tolerance",
      [
        [8, 1000, 0.9],
        [7, 900, 0.9],
        [6, 800, 0.89],
        [5, 700, 0.5],
      ],
      6,
    ],
    [
      "are not fewer than make the file smaller",
      [
        [8, 1000, 0.9],
        [7, 1000, 0.9],
        [6, 995, 0.9],
      ],
      8,
    ],
    [
      "may save little at each step, if it is a hundredth together",
      [
        [8, 1000, 0.9],
        [7, 994, 0.9],
        [6, 990, 0.9],
      ],
      6,
    ],
    [
      "may lie below some that are outside the tolerance",
      [
        [8, 1000, 0.9],
        [7, 900, 0.7],
        [6, 800, 0.9],
      ],
      6,
    ],
    [
      "are 8 where none is inside",
      [
        [8, 1000, 0.5],
        [7, 900, 0.5],
      ],
      8,
    ],
  ] as const)("%s", (_what, trials, expected) => {
    expect(fewestBits(trials.map(trial), 0.88)).toBe(expected);
  });
});
