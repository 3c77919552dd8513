import { beforeAll, describe, expect, it } from "vitest";
import { tf } from "../../tf.ts";
import { loadWasm } from "../wasm.ts";

beforeAll(() => loadWasm());

type Fn = (...args: tf.Tensor[]) => tf.Tensor;

/** The gradients of a weighted sum of the function's output by each of its arguments. */
function gradients(fn: Fn, shapes: number[][]): { shape: number[]; values: number[] }[] {
  return tf.tidy(() => {
    const draw = (shape: number[], seed: number) => tf.randomNormal(shape, 0, 1, "float32", seed);
    const weighted: Fn = (...args) => {
      const y = fn(...args);
      return tf.sum(tf.mul(y, draw(y.shape, 9)));
    };
    const found = tf.grads(weighted)(shapes.map((shape, at) => draw(shape, at + 1)));
    return found.map((gradient) => ({ shape: gradient.shape, values: [...gradient.dataSync()] }));
  });
}

/** How far WebAssembly's gradients are from those of tfjs' backend in JavaScript, relative to the largest of each. */
async function difference(fn: Fn, shapes: number[][]): Promise<number> {
  await tf.setBackend("cpu");
  const expected = gradients(fn, shapes);
  await tf.setBackend("wasm");
  const actual = gradients(fn, shapes);
  const relative = expected.map(({ shape, values }, argument) => {
    const found = actual[argument];
    if (found?.shape.join() !== shape.join()) return Number.POSITIVE_INFINITY;
    const differences = values.map((value, at) => Math.abs(value - (found.values[at] ?? Number.NaN)));
    return Math.max(...differences) / Math.max(...values.map(Math.abs));
  });
  return Math.max(...relative);
}

const four = (x: tf.Tensor): tf.Tensor4D => {
  const [a = 1, b = 1, c = 1, d = 1] = x.shape;
  return x.as4D(a, b, c, d);
};

const around: tf.backend_util.ExplicitPadding = [
  [0, 0],
  [2, 1],
  [0, 2],
  [0, 0],
];
const geometries: { strides: [number, number]; pad: "same" | "valid" | tf.backend_util.ExplicitPadding }[] = [
  { strides: [1, 1], pad: "same" },
  { strides: [1, 1], pad: "valid" },
  { strides: [2, 2], pad: "same" },
  { strides: [2, 3], pad: "valid" },
  { strides: [2, 3], pad: around },
];

describe("training on WebAssembly, beside tfjs' backend in JavaScript,", () => {
  it.each(geometries)("has the gradients of a convolution with %j", async ({ strides, pad }) => {
    const conv: Fn = (x = tf.scalar(0), w = x) => tf.conv2d(four(x), four(w), strides, pad);
    expect(
      await difference(conv, [
        [2, 7, 8, 3],
        [3, 2, 3, 4],
      ]),
    ).toBeLessThan(1e-5);
  });

  it.each(geometries)("has the gradients of a depthwise convolution with %j", async ({ strides, pad }) => {
    const conv: Fn = (x = tf.scalar(0), w = x) => tf.depthwiseConv2d(four(x), four(w), strides, pad);
    expect(
      await difference(conv, [
        [2, 7, 8, 3],
        [3, 2, 3, 2],
      ]),
    ).toBeLessThan(1e-5);
  });

  it("has the gradients of a convolution in one dimension", async () => {
    const conv: Fn = (x = tf.scalar(0), w = x) => tf.conv1d(x.as3D(2, 9, 3), w.as3D(3, 3, 4), 2, "same");
    expect(
      await difference(conv, [
        [2, 9, 3],
        [3, 3, 4],
      ]),
    ).toBeLessThan(1e-5);
  });

  it("has the gradient of an embedding, rows that occur several times included", async () => {
    const embed: Fn = (table = tf.scalar(0)) => tf.gather(table, tf.tensor2d([4, 0, 4, 1, 4, 2], [2, 3], "int32"));
    expect(await difference(embed, [[6, 5]])).toBeLessThan(1e-5);
    const columns: Fn = (table = tf.scalar(0)) => tf.gather(table, tf.tensor1d([2, 2, 0], "int32"), 1);
    expect(await difference(columns, [[2, 3, 4]])).toBeLessThan(1e-5);
  });

  it("leaves no tensor behind", async () => {
    const shapes = [
      [2, 5, 5, 2],
      [3, 3, 2, 2],
    ];
    const run = () => gradients((x = tf.scalar(0), w = x) => tf.depthwiseConv2d(four(x), four(w), 2, "same"), shapes);
    await tf.setBackend("wasm");
    const { numTensors, numDataBuffers } = tf.memory();
    run();
    expect(tf.memory()).toMatchObject({ numTensors, numDataBuffers });
  });

  it("leaves out rows whose segment is out of range, as TensorFlow does", async () => {
    await tf.setBackend("wasm");
    const sums = tf.unsortedSegmentSum(
      tf.tensor2d([
        [1, 2],
        [3, 4],
        [5, 6],
      ]),
      tf.tensor1d([1, -1, 1], "int32"),
      2,
    );
    expect(sums.arraySync()).toEqual([
      [0, 0],
      [6, 8],
    ]);
  });
});
