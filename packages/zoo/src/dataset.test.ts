import { describe, expect, it } from "vitest";
import { toFloat } from "./dataset.ts";
import { loadDataset } from "./index.ts";

describe("toFloat", () => {
  it("gives x scale + offset of every value, of bytes and of floats", () => {
    const preprocessing = { scale: 0.5, offset: -1 };
    const y = Int32Array.of(0);
    expect(toFloat({ x: Uint8Array.of(0, 2, 255), y, count: 1 }, preprocessing)).toEqual(Float32Array.of(-1, 0, 126.5));
    expect(toFloat({ x: Float32Array.of(-3, 0.5), y, count: 1 }, preprocessing)).toEqual(Float32Array.of(-2.5, -0.75));
  });
});

describe("a data set of which only a part is asked for", () => {
  it("has the first samples, under the digest of the whole", async () => {
    const whole = await loadDataset("tiny");
    const few = await loadDataset("tiny", { limit: { train: 10, test: 5 } });
    expect([few.train.count, few.test.count, few.digest]).toEqual([10, 5, whole.digest]);
    expect(few.train.x).toEqual(whole.train.x.subarray(0, 640));
    expect(few.test.y).toEqual(whole.test.y.subarray(0, 5));
  });
});
