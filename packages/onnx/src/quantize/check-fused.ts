import { AppError } from "@whittle/contracts";

const integerKernels: Record<string, readonly string[]> = {
  Conv: ["QLinearConv"],
  Gemm: ["QGemm"],
  MatMul: ["QLinearMatMul", "MatMulIntegerToFloat"],
  MatMulInteger: ["DynamicQuantizeMatMul", "MatMulIntegerToFloat"],
  MatMulNBits: ["MatMulNBits"],
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

const count = (operators: Readonly<Record<string, number>>) =>
  Object.values(operators).reduce((sum, each) => sum + each, 0);

/**
 * Checks that ONNX Runtime unpacks all weights when it loads a model, and so runs no more operators than for the float model.
 * @param extra operators that may be more
 * @throws AppError `unsupported` with what it runs.
 */
export function checkFolded(
  fused: Readonly<Record<string, number>>,
  float: Readonly<Record<string, number>>,
  extra: number,
): void {
  if (count(fused) <= count(float) + extra) return;
  throw new AppError(
    "unsupported",
    `ONNX Runtime does not unpack the weights once and for all; it runs ${JSON.stringify(fused)} ` +
      `in the place of ${JSON.stringify(float)}.`,
  );
}
