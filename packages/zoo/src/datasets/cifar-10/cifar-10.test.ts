import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encode } from "fast-png";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { testDataset } from "../../testing.ts";
import { load } from "./load.ts";

await testDataset("cifar-10", "sha256:b25d41ac06ad9bf550670da90e4dd00376a8f9a8b942bc661b10f51c1866de9c");

/** The first two images of each file of the real data set: fixtures/cut.ts. */
const fixtures = join(import.meta.dirname, "fixtures");

describe("the files of cifar-10", () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "whittle-cifar-10-"));
    await cp(fixtures, folder, { recursive: true });
  });

  afterEach(() => rm(folder, { recursive: true }));

  it("give images [32, 32, 3] in the order of their labels", async () => {
    const { train, test } = await load.load(folder);
    expect([train.count, train.x.length, test.count, test.x.length]).toEqual([10, 30_720, 2, 6144]);
    expect([...train.y]).toEqual([6, 9, 1, 6, 8, 5, 0, 6, 1, 8]);
    expect([...test.y]).toEqual([3, 8]);
    // The first pixels of the first training and the first test image, as Keras' cifar10.load_data() gives them.
    expect([...train.x.subarray(0, 6)]).toEqual([59, 62, 63, 43, 46, 45]);
    expect([...test.x.subarray(0, 6)]).toEqual([158, 112, 49, 159, 111, 47]);
  });

  it("are here when all of them are", async () => {
    expect(load.isHere(folder)).toBe(true);
    await rm(join(folder, "data_batch_4.png"));
    expect(load.isHere(folder)).toBe(false);
  });

  it("are refused when a picture is cut off, changed or of another width, and when labels are none", async () => {
    const first = join(folder, "data_batch_1.png");
    const bytes = await readFile(first);
    const changed = Uint8Array.from(bytes, (byte, at) => (at === 100 ? byte ^ 1 : byte));
    for (const wrong of [bytes.subarray(0, 3000), changed]) {
      await writeFile(first, wrong);
      await expect(load.load(folder)).rejects.toMatchObject({
        code: "corrupt",
        message: expect.stringMatching(/data_batch_1.png is not a whole PNG/),
      });
    }
    await writeFile(first, encode({ width: 1023, height: 1, channels: 3, data: new Uint8Array(3069) }));
    await expect(load.load(folder)).rejects.toThrow(/has rows of 1023 pixels .* but must have 1024 of 3/);
    await writeFile(first, bytes);
    await writeFile(join(folder, "train_lables.json"), "[1, 2");
    await expect(load.load(folder)).rejects.toMatchObject({
      code: "corrupt",
      message: expect.stringMatching(/train_lables/),
    });
  });
});
