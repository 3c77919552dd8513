import { parseCpuInfo } from "@whittle/contracts";
import { describe, expect, it } from "vitest";
import { initEngine } from "../runtime/init.ts";
import { tf } from "../tf.ts";
import { listed, multipliesBfloat16 } from "../runtime/bfloat16.ts";
import { compile } from "./compile.ts";
import torch from "./testing/torch_bfloat16.json" with { type: "json" };

await initEngine();

/** A bfloat16 has 8 significant bits, so that neighbours are at most this far apart. */
const spacing = 2 ** -7;

type Values = { shape: number[]; data: number[] };

const tensor = ({ shape, data }: Values) => tf.tensor(data, shape, "float32");

/** The result and the gradients of its sum, weighted by `c`. */
function withGradients(apply: (x: tf.Tensor, w: tf.Tensor) => tf.Tensor, mixed: boolean) {
  const run = (x: tf.Tensor, w: tf.Tensor, c: tf.Tensor) => {
    const [dx, dw] = tf.grads((a: tf.Tensor, b: tf.Tensor) => tf.sum(tf.mul(apply(a, b), c)))([x, w]);
    return { y: apply(x, w), dx, dw };
  };
  return compile(run, { mixed });
}

const apply = {
  product: (x: tf.Tensor, w: tf.Tensor) => tf.matMul(x, w),
  convolution: (x: tf.Tensor, w: tf.Tensor) => tf.conv2d(x.as4D(2, 5, 5, 3), w.as4D(3, 3, 3, 4), 1, "valid"),
};

it("is for processors with instructions for bfloat16", () => {
  const flags = (text: string): string[] => parseCpuInfo(`flags\t\t: fpu ${text}\n`).flags;
  expect(listed(flags("avx512f avx512_bf16 fma"))).toBe(true);
  expect(listed(flags("amx_bf16 amx_tile"))).toBe(true);
  expect(listed(flags("avx512f avx512_vnni"))).toBe(false);
  expect(listed([])).toBe(false);
});

describe.skipIf(!multipliesBfloat16())("mixed precision", () => {
  it("rounds what is multiplied to 8 significant bits, and nothing else", () => {
    const [finer, coarser] = [1 + 2 ** -8 + 2 ** -9, 1 + 2 ** -6];
    const f = compile(
      (a: tf.Tensor2D, b: tf.Tensor2D) => ({ product: tf.matMul(a, b), sum: tf.add(a, b), whole: tf.mul(a, b) }),
      { mixed: true },
    );
    for (const [given, rounded] of [
      [finer, 1 + 2 ** -7],
      [coarser, coarser],
      [1 + 2 ** -8, 1],
    ] as const) {
      const { product, sum, whole } = f(tf.tensor2d([[given]]), tf.tensor2d([[4]]));
      expect(product.dataSync()[0]).toBe(4 * rounded);
      expect([sum.dataSync()[0], whole.dataSync()[0]]).toEqual([given + 4, given * 4]);
      expect([product.dtype, product.shape]).toEqual(["float32", [1, 1]]);
    }
  });

  it("sums the products in float32", () => {
    // In bfloat16 a sum of ones ends at 256, where the next number is 258.
    const ones = tf.ones([1, 1024]);
    const f = compile((a: tf.Tensor) => tf.matMul(a, a, false, true), { mixed: true });
    expect(f(ones).dataSync()[0]).toBe(1024);
  });

  it.each(["product", "convolution"] as const)("gives the %s and the gradients of PyTorch's autocast", (name) => {
    const { x, w, c, ...expected } = torch[name];
    const run = (mixed: boolean) => withGradients(apply[name], mixed)(tensor(x), tensor(w), tensor(c));
    const [mixed, full] = [run(true), run(false)];
    for (const key of ["y", "dx", "dw"] as const) {
      const given = mixed[key]?.dataSync() ?? [];
      const off = expected[key].data.map((value, at) => Math.abs((given[at] ?? NaN) - value) / Math.abs(value));
      // The order of the sums is free, so that a result may round to a neighbour.
      expect(Math.max(...off)).toBeLessThanOrEqual(spacing);
      expect([...given]).not.toEqual([...(full[key]?.dataSync() ?? [])]);
    }
  });
});
