import { initEngine, predict, tf } from "@whittle/engine";
import { beforeAll, describe, expect, it } from "vitest";
import { buildModel } from "../../index.ts";
import { testSequenceFamily } from "../../sequence/testing.ts";

// 20 * 8 tokens, 9 * 8 positions; 4 (8 * 8 + 8), 8 * 6 + 6, 6 * 8 + 8, 2 norms of 16; a norm of 16, 8 * 3 + 3.
testSequenceFamily("transformer", { width: 8, heads: 2, blocks: 1, hidden: 6 }, 232 + 288 + 110 + 32 + 16 + 27);

describe("transformer", () => {
  beforeAll(() => initEngine());

  it("tells the order of the steps by their positions", () => {
    const model = buildModel("transformer", {}, { inputShape: [4, 3], classes: 3, seed: 1 });
    const x = tf.randomUniform([1, 4, 3], -1, 1, "float32", 1);
    const [forth, back] = [x, tf.reverse(x, 1)].map((steps) => predict(model, steps));
    expect(
      forth
        ?.equal(back ?? 0)
        .all()
        .dataSync()[0],
    ).toBe(0);
  });

  it("refuses heads that don't divide the width, and patches that don't divide the image", () => {
    const shape = { inputShape: [8, 8, 1], classes: 3, seed: 1 };
    expect(() => buildModel("transformer", { width: 10, heads: 4 }, shape)).toThrow(
      /width must be a multiple of heads/,
    );
    expect(() => buildModel("transformer", { patch: 3 }, shape)).toThrow(/patch must divide .* 8 x 8/);
  });
});
