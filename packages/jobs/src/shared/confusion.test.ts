import { describe, expect, it } from "vitest";
import { classAccuracies, confusionMatrix } from "./confusion.ts";

describe("confusionMatrix", () => {
  // Three samples of class 0 (one taken for 2), two of class 1 (both right), none of class 2.
  const matrix = confusionMatrix(Int32Array.of(0, 1, 0, 0, 1), Int32Array.of(0, 1, 2, 0, 1), 3);

  it("counts true classes in rows and predicted ones in columns", () => {
    expect(matrix).toEqual([
      [2, 0, 1],
      [0, 2, 0],
      [0, 0, 0],
    ]);
  });

  it("gives each class' share of right answers, and none for a class without samples", () => {
    expect(classAccuracies(matrix)).toEqual([2 / 3, 1, undefined]);
  });
});
