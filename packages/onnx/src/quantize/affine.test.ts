import { describe, expect, it } from "vitest";
import { noise } from "../test-models.ts";
import { affineParams, dequantize, quantize, roundHalfEven, symmetricParams } from "./affine.ts";

const uint8 = { qmin: 0, qmax: 255 };
const int8 = { qmin: -127, qmax: 127 };

describe("rounding", () => {
  it("takes halves to the even integer", () => {
    expect([0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 2.4, -2.6].map(roundHalfEven)).toEqual([0, 2, 2, 0, -2, -2, 2, -3]);
  });
});

describe("affine parameters", () => {
  it("are those worked by hand for [-1, 3]", () => {
    // s = 4/255, z = round(1 / s) = round(63.75)
    expect(affineParams(-1, 3, uint8)).toEqual({ ...uint8, scale: Math.fround(4 / 255), zeroPoint: 64 });
  });

  it("put the zero point at qmin after a ReLU", () => {
    expect(affineParams(0.5, 6, uint8)).toEqual({ ...uint8, scale: Math.fround(6 / 255), zeroPoint: 0 });
  });

  it("are harmless for a tensor of zeros", () => {
    expect(affineParams(0, 0, uint8)).toEqual({ ...uint8, scale: 1, zeroPoint: 0 });
    expect(symmetricParams(0, 1e-40, int8).scale).toBe(1);
  });

  it("are Q(x) = round(a x + b) with a = 1/s and b = z", () => {
    const params = affineParams(-1, 3, uint8);
    for (const x of noise(100)) {
      expect(quantize(x, params)).toBe(roundHalfEven(Math.fround(x / params.scale)) + params.zeroPoint);
      expect(Math.abs(quantize(x, params) - (x / params.scale + params.zeroPoint))).toBeLessThanOrEqual(0.5001);
    }
  });
});

describe("quantizing", () => {
  it("keeps zero exact, saturates, and is off by half a step at most inside the range", () => {
    const params = affineParams(-0.7, 0.4, uint8);
    expect(dequantize(quantize(0, params), params)).toBe(0);
    expect([quantize(-9, params), quantize(9, params)]).toEqual([0, 255]);
    for (const x of noise(200).map((value) => value * 0.8)) {
      const error = Math.abs(dequantize(quantize(x, params), params) - x);
      expect(error).toBeLessThanOrEqual(params.scale * 0.5 + 1e-6);
    }
  });
});
