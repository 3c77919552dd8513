import { beforeAll, describe, expect, it } from "vitest";
import { compile } from "../compile/compile.ts";
import { initEngine } from "../runtime/init.ts";
import { tf } from "../tf.ts";
import { augmentImages, cutSquares, moveImages } from "./augment.ts";

beforeAll(() => initEngine());

const ints = (...values: number[]) => tf.tensor1d(values, "int32");
const seed = (step = 0) => ints(5, step);

/** Images of one channel, from their rows. */
const images = (...rows: number[][][]) => tf.expandDims<tf.Tensor4D>(tf.tensor3d(rows), 3);
const rowsOf = (x: tf.Tensor4D) => tf.squeeze<tf.Tensor3D>(x, [3]).arraySync();

const picture = [
  [1, 2, 3],
  [4, 5, 6],
];

describe("moveImages", () => {
  it("mirrors each image in its own way", () => {
    const x = images(picture, picture, picture, picture);
    const moved = moveImages(x, { mirror: ints(0, 1, 0, 1) }, { mirror: ints(0, 0, 1, 1) });
    expect(rowsOf(moved)).toEqual([
      picture,
      [
        [4, 5, 6],
        [1, 2, 3],
      ],
      [
        [3, 2, 1],
        [6, 5, 4],
      ],
      [
        [6, 5, 4],
        [3, 2, 1],
      ],
    ]);
  });

  it("shifts down and right, or up and left, and lets zeros in", () => {
    const moved = moveImages(images(picture, picture), { shift: ints(1, 0) }, { shift: ints(1, -2) });
    expect(rowsOf(moved)).toEqual([
      [
        [0, 0, 0],
        [0, 1, 2],
      ],
      [
        [3, 0, 0],
        [6, 0, 0],
      ],
    ]);
  });

  it("shifts what it has mirrored", () => {
    const moved = moveImages(images(picture), {}, { mirror: ints(1), shift: ints(1) });
    expect(rowsOf(moved)).toEqual([
      [
        [0, 3, 2],
        [0, 6, 5],
      ],
    ]);
  });

  it("keeps the channels of a pixel together", () => {
    const x = tf.tensor4d([1, 10, 2, 20], [1, 1, 2, 2]);
    expect([...moveImages(x, {}, { mirror: ints(1) }).dataSync()]).toEqual([2, 20, 1, 10]);
  });
});

describe("cutSquares", () => {
  it("sets what lies inside to 0, in each image at its own place", () => {
    const ones = Array.from({ length: 3 }, () => [1, 1, 1, 1]);
    const cut = cutSquares(images(ones, ones), 2, { row: ints(1, 0), column: ints(2, 0) });
    expect(rowsOf(cut)).toEqual([
      [
        [1, 0, 0, 1],
        [1, 0, 0, 1],
        [1, 1, 1, 1],
      ],
      [
        [0, 1, 1, 1],
        [1, 1, 1, 1],
        [1, 1, 1, 1],
      ],
    ]);
  });
});

/** How often each place of 3 x 3 holds the point that was in the middle, over so many images. */
function placesOfPoint(count: number, settings: Parameters<typeof augmentImages>[1]): number[] {
  const point: tf.Tensor4D = tf.tensor4d([0, 0, 0, 0, 1, 0, 0, 0, 0], [1, 3, 3, 1]);
  const x = tf.tile(point, [count, 1, 1, 1]);
  return [...augmentImages(x, settings, seed()).sum(0).dataSync()];
}

describe("augmentImages", () => {
  it("shifts to every place equally often, each image by itself", () => {
    // 1000 expected, standard deviation 30.
    for (const count of placesOfPoint(9000, { shift: 1 })) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });

  it("mirrors half of the images, each way by itself", () => {
    const corner = tf.tile<tf.Tensor4D>(
      images([
        [1, 0],
        [0, 0],
      ]),
      [4000, 1, 1, 1],
    );
    const shares = (flip: "horizontal" | "both") => [...augmentImages(corner, { flip }, seed()).sum(0).dataSync()];
    // Standard deviations 32 and 27.
    expect(shares("horizontal").slice(2)).toEqual([0, 0]);
    for (const count of shares("horizontal").slice(0, 2)) expect(Math.abs(count - 2000)).toBeLessThan(160);
    for (const count of shares("both")) expect(Math.abs(count - 1000)).toBeLessThan(140);
  });

  it("adds normal noise of the deviation asked for, another to each pixel", () => {
    const noise = augmentImages(tf.mul(tf.ones<tf.Rank.R4>([40, 16, 16, 3]), 2), { noise: 0.5 }, seed()).sub(2);
    const { mean, variance } = tf.moments(noise);
    // 30,720 values: standard errors 0.003 and 0.002.
    expect(mean.dataSync()[0]).toBeCloseTo(0, 1);
    expect(Math.abs((variance.dataSync()[0] ?? 0) - 0.25)).toBeLessThan(0.012);
    expect(tf.unique(noise.flatten()).values.size).toBeGreaterThan(30_000);
  });

  it("cuts squares at every place equally often", () => {
    const kept = augmentImages(tf.ones([9000, 3, 3, 1]), { cutout: 1 }, seed())
      .sum(0)
      .dataSync();
    for (const count of kept) expect(Math.abs(9000 - count - 1000)).toBeLessThan(150);
  });

  it("draws what the seed says: the same again, other changes at another step", () => {
    const x = tf.randomUniform<tf.Rank.R4>([8, 6, 6, 2], 0, 1, "float32", 1);
    const all = { flip: "both", shift: 2, noise: 0.1, cutout: 3 } as const;
    const at = (step: number) => [...augmentImages(x, all, seed(step)).dataSync()];
    expect(at(3)).toEqual(at(3));
    expect(at(4)).not.toEqual(at(3));
  });

  it("comes to the very same in a graph, step after step", { tags: ["tensorflow"] }, () => {
    const x = tf.randomUniform<tf.Rank.R4>([8, 6, 6, 2], 0, 1, "float32", 1);
    const all = { flip: "both", shift: 2, noise: 0.1, cutout: 3 } as const;
    const graph = compile((at: tf.Tensor1D) => augmentImages(x, all, at));
    for (const step of [0, 1, 2]) {
      expect(graph(seed(step)).dataSync()).toEqual(augmentImages(x, all, seed(step)).dataSync());
    }
    expect(graph.graphs).toBe(1);
    graph.dispose();
  });
});
