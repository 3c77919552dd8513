import { beforeAll, expect, it } from "vitest";
import { initEngine } from "../runtime/init.ts";
import { tf } from "../tf.ts";
import { moveImages } from "./augment.ts";

beforeAll(async () => {
  process.env["WHITTLE_BACKEND"] = "wasm";
  await initEngine();
});

it("moves each image of a batch by itself on WebAssembly", () => {
  const ints = (...values: number[]) => tf.tensor1d(values, "int32");
  const picture = [1, 2, 3, 4, 5, 6];
  const x = tf.tensor4d([picture, picture, picture, picture].flat(), [4, 2, 3, 1]);
  const moved = moveImages(x, { mirror: ints(0, 1, 0, 1) }, { mirror: ints(0, 0, 1, 1), shift: ints(0, 1, 0, 0) });
  expect([...moved.dataSync()]).toEqual([picture, [0, 4, 5, 0, 1, 2], [3, 2, 1, 6, 5, 4], [6, 5, 4, 3, 2, 1]].flat());
});
