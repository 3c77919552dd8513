import { describe, expect, it } from "vitest";
import { checkFused } from "./check-fused.ts";

describe("checkFused", () => {
  const layers = ["Conv", "Conv", "Gemm", "MatMul"];

  it("is content when every layer has its integer kernel", () => {
    expect(() => checkFused(layers, { QLinearConv: 2, QGemm: 1, MatMulIntegerToFloat: 1 })).not.toThrow();
  });

  it.each([
    ["Conv", { QLinearConv: 1, Conv: 1, QGemm: 1, QLinearMatMul: 1 }, "1 of 2 quantized Conv layers"],
    ["Gemm", { QLinearConv: 2, Gemm: 1, QLinearMatMul: 1 }, "0 of 1 quantized Gemm layers"],
    ["MatMul", { QLinearConv: 2, QGemm: 2 }, "0 of 1 quantized MatMul layers"],
  ])("refuses a model in which a %s stays float", (_operator, fused, message) => {
    const problem = { code: "unsupported", message: expect.stringContaining(message) };
    expect(() => checkFused(layers, fused)).toThrow(expect.objectContaining(problem));
  });
});
