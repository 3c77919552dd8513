import { describe, expect, it } from "vitest";
import { toFloat } from "./dataset.ts";

describe("toFloat", () => {
  it("gives x scale + offset of every value, of bytes and of floats", () => {
    const preprocessing = { scale: 0.5, offset: -1 };
    const y = Int32Array.of(0);
    expect(toFloat({ x: Uint8Array.of(0, 2, 255), y, count: 1 }, preprocessing)).toEqual(Float32Array.of(-1, 0, 126.5));
    expect(toFloat({ x: Float32Array.of(-3, 0.5), y, count: 1 }, preprocessing)).toEqual(Float32Array.of(-2.5, -0.75));
  });
});
