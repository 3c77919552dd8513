import { AppError } from "@whittle/contracts";

const integerKernels: Record<string, readonly string[]> = {
  Conv: ["QLinearConv"],
  Gemm: ["QGemm"],
  MatMul: ["QLinearMatMul", "MatMulIntegerToFloat"],
};

/**
 * Checks that ONNX Runtime runs every quantized layer with an integer kernel.
 * @param layers the operator of each, as it was before.
 * @param fused the operators of the optimized graph, with their counts.
 * @throws AppError `unsupported` naming how many it does not.
 */
export function checkFused(layers: readonly string[], fused: Readonly<Record<string, number>>): void {
  for (const [operator, kernels] of Object.entries(integerKernels)) {
    const expected = layers.filter((layer) => layer === operator).length;
    const found = kernels.reduce((sum, kernel) => sum + (fused[kernel] ?? 0), 0);
    if (found >= expected) continue;
    throw new AppError(
      "unsupported",
      `ONNX Runtime runs ${found} of ${expected} quantized ${operator} layers as ${kernels.join(" or ")}; ` +
        `the others would be slower than float32. Operators it runs: ${JSON.stringify(fused)}.`,
    );
  }
}
