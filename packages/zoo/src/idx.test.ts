import { mkdtemp, mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findDataset, loadDataset } from "./index.ts";
import { idxFolder, parseIdx } from "./idx.ts";

/** An IDX file of bytes. */
function idx(shape: number[], values: number[], type = 0x08): Uint8Array {
  const header = new DataView(new ArrayBuffer(4 + 4 * shape.length));
  header.setUint32(0, (type << 8) | shape.length);
  for (const [axis, size] of shape.entries()) header.setUint32(4 + 4 * axis, size);
  return Uint8Array.from([...new Uint8Array(header.buffer), ...values]);
}

describe("parseIdx", () => {
  it("reads dimensions and values", () => {
    const values = [1, 2, 3, 4, 5, 6];
    expect(parseIdx(idx([3, 2], values), "x")).toEqual({ shape: [3, 2], values: Uint8Array.from(values) });
  });

  it.each([
    ["another type", idx([1], [0], 0x0d), /begins with 0x00000d01, not 0x000008/],
    ["no dimensions", idx([], [7]), /not an IDX file/],
    ["nothing", new Uint8Array(), /not an IDX file/],
    ["half a header", idx([3, 2], []).subarray(0, 9), /ends within its header of 12 bytes/],
    ["too few values", idx([3, 2], [1, 2]), /has 2 values, but its header says 3 x 2 = 6/],
    ["too many values", idx([2], [1, 2, 3]), /has 3 values/],
  ])("refuses %s and says what is wrong", (_what, bytes, reason) => {
    const refused = () => parseIdx(bytes, "/data/some-file");
    expect(refused).toThrow(expect.objectContaining({ code: "corrupt", message: expect.stringMatching(reason) }));
    expect(refused).toThrow(/some-file/);
  });
});

describe("a folder of IDX files", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "whittle-idx-"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const files = {
    "train-images-idx3-ubyte": idx([2, 1, 2], [1, 2, 3, 4]),
    "train-labels-idx1-ubyte": idx([2], [1, 0]),
    "t10k-images-idx3-ubyte": idx([1, 1, 2], [5, 6]),
    "t10k-labels-idx1-ubyte": idx([1], [1]),
  };
  async function write(changed: Record<string, Uint8Array | undefined> = {}, into = folder): Promise<void> {
    await mkdir(into, { recursive: true });
    for (const [name, bytes] of Object.entries({ ...files, ...changed }))
      if (bytes) await writeFile(join(into, name), bytes);
  }

  it("is read with and without gzip", async () => {
    const name = "train-images-idx3-ubyte";
    await write({ [name]: undefined, [`${name}.gz`]: gzipSync(files[name]) });
    expect(idxFolder.isHere(folder)).toBe(true);
    expect(await idxFolder.load(folder)).toEqual({
      train: { x: Uint8Array.of(1, 2, 3, 4), y: Int32Array.of(1, 0), count: 2 },
      test: { x: Uint8Array.of(5, 6), y: Int32Array.of(1), count: 1 },
    });
  });

  it("is not taken when a file is missing, and the message says which", async () => {
    await write({ "t10k-labels-idx1-ubyte": undefined });
    expect(idxFolder.isHere(folder)).toBe(false);
    await expect(idxFolder.load(folder)).rejects.toThrow(/no t10k-labels-idx1-ubyte \(or .*\.gz\)/);
  });

  it("is refused when a gzip file is cut off", async () => {
    const name = "train-labels-idx1-ubyte";
    await write({ [name]: undefined, [`${name}.gz`]: gzipSync(files[name]).subarray(0, 20) });
    await expect(idxFolder.load(folder)).rejects.toMatchObject({
      code: "corrupt",
      message: expect.stringContaining("train-labels-idx1-ubyte.gz is not whole"),
    });
  });

  it("is refused when images and labels are swapped", async () => {
    const { "train-labels-idx1-ubyte": labels } = files;
    await write({ "train-images-idx3-ubyte": labels });
    await expect(idxFolder.load(folder)).rejects.toThrow(/has 1 dimensions, but must have 3/);
  });

  it("is found under a folder that is given before all other places, and must hold what the contract says", async () => {
    await write({}, join(folder, "mnist"));
    expect(await findDataset("mnist", { dirs: ["/nowhere", folder] })).toBe(join(folder, "mnist"));
    await expect(loadDataset("mnist", { dirs: [folder] })).rejects.toMatchObject({
      code: "corrupt",
      message: "The train part of the data set mnist has 2 samples, but must have 60000",
    });
  });
});
