import { beforeAll, describe, expect, it } from "vitest";
import { tf } from "../tf.ts";
import { compile } from "../compile/compile.ts";
import { initEngine } from "./init.ts";

beforeAll(() => initEngine());

type Stride = [number, number];

/** As the kernel would, if it were a convolution of stride 1 over what the filter reads; only the spread of the samples is another way. */
function filterGradients(side: number, inChannels: number, strides: Stride) {
  const x = tf.randomNormal<tf.Rank.R4>([4, side, side, inChannels], 0, 1, "float32", 1);
  const w = tf.randomNormal<tf.Rank.R4>([1, 1, inChannels, 2 * inChannels], 0, 1, "float32", 2);
  const strided = (v: tf.Tensor) => tf.square(tf.conv2d(x, v.as4D(...w.shape), strides, "same"));
  const picked = (v: tf.Tensor) => {
    const read = tf
      .stridedSlice(x, [0, 0, 0, 0], x.shape, [1, ...strides, 1])
      .as4D(4, Math.ceil(side / strides[0]), Math.ceil(side / strides[1]), inChannels);
    return tf.square(tf.conv2d(read, v.as4D(...w.shape), 1, "same"));
  };
  return {
    strided: tf.grad(strided)(w),
    picked: tf.grad(picked)(w),
    again: compile((v: tf.Tensor) => tf.grad(strided)(v)),
    w,
  };
}

describe("the gradient of a strided 1x1 convolution's filter", () => {
  it.each<[number, number, Stride]>([
    [28, 8, [2, 2]],
    [7, 3, [2, 2]],
    [9, 4, [3, 1]],
    [8, 16, [2, 2]],
  ])("is that of the samples which the filter reads (side %d, %d channels, strides %j)", (side, channels, strides) => {
    const { strided, picked, again, w } = filterGradients(side, channels, strides);
    const scale = tf.max(tf.abs(picked)).dataSync()[0] ?? 1;
    const distance = (other: tf.Tensor) => tf.max(tf.abs(tf.sub(other, picked))).dataSync()[0] ?? Infinity;
    // Sums of up to 800 products in float32, in another order.
    expect(distance(strided)).toBeLessThan(1e-5 * scale);
    for (let call = 0; call < 4; call++) expect(distance(again(w))).toBeLessThan(1e-5 * scale);
  });

  it("survives the shapes that TensorFlow's own kernel dies of", () => {
    const x = tf.randomNormal<tf.Rank.R4>([32, 28, 28, 8]);
    const gradient = tf.grad((v: tf.Tensor) => tf.conv2d(x, v.as4D(1, 1, 8, 16), 2, "same"));
    for (let time = 0; time < 15; time++) expect(gradient(tf.zeros([1, 1, 8, 16])).shape).toEqual([1, 1, 8, 16]);
  });
});
