/** What is accepted at an upload, what is only warned of, and what stays readable once it was accepted. */
import type { DatasetRecord } from "@whittle/contracts";
import { describe, expect, it } from "vitest";
import { openUpload, readUpload } from "./index.ts";
import { npyOf, npzOf, smallArrays, zipOf, type Arrays } from "./testing.ts";

const labelled = (train: number[], test: number[], labels?: string[]): Arrays => ({
  x_train: { values: new Uint8Array(train.length * 4), shape: [train.length, 2, 2] },
  y_train: { values: Int32Array.from(train), shape: [train.length] },
  x_test: { values: new Uint8Array(test.length * 4), shape: [test.length, 2, 2] },
  y_test: { values: Int32Array.from(test), shape: [test.length] },
  ...(labels && { labels: { values: labels, shape: [labels.length] } }),
});

const warningsOf = async (arrays: Arrays) => (await readUpload(npzOf(arrays))).warnings;

describe("classes that are tested and not taught", () => {
  it("are warned of, with how many samples they have and which they are", async () => {
    expect(await warningsOf(labelled([0, 1, 0], [0, 3, 1, 2, 3]))).toEqual([
      expect.stringMatching(
        /^y_test has 3 of its 5 samples in 2 classes that y_train has no sample of: 2, 3\. No model/,
      ),
    ]);
    expect(await warningsOf(labelled([0, 1], [2, 0], ["boot", "shoe", "bag"]))).toEqual([
      expect.stringMatching(/^y_test has 1 of its 2 samples in a class that y_train has no sample of: 2 \(bag\)\./),
    ]);
    const many = await warningsOf(labelled([0, 1], [...Array(15).keys()]));
    expect(many[0]).toMatch(/13 classes that y_train has no sample of: 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, \.\.\.\./);
  });

  it("are none where every class is taught, though some may not be tested", async () => {
    expect(await warningsOf(smallArrays)).toEqual([]);
    expect(await warningsOf(labelled([0, 1, 2], [0], ["a", "b", "c", "d"]))).toEqual([]);
  });
});

describe("a version that was accepted once", () => {
  const recordOf = (fields: Partial<DatasetRecord>): DatasetRecord => ({
    name: "old",
    version: 3,
    inputShape: [3, 8, 8],
    labels: ["only"],
    preprocessing: { scale: 1, offset: 0 },
    samples: { train: 2, test: 1 },
    digest: `sha256:${"0".repeat(64)}`,
    size: 1,
    actor: "me",
    createdAt: "2026-01-01T00:00:00.000Z",
    ...fields,
  });
  const arrays: Arrays = {
    x_train: { values: Uint8Array.from({ length: 384 }, (_, at) => at % 251), shape: [2, 3, 8, 8] },
    y_train: { values: Int32Array.of(0, 0), shape: [2] },
    x_test: { values: new Uint8Array(192), shape: [1, 3, 8, 8] },
    y_test: { values: Int32Array.of(0), shape: [1] },
  };
  const entries = (given: Arrays) =>
    Object.entries(given).map(([name, { values, shape }]) => ({ name: `${name}.npy`, bytes: npyOf(values, shape) }));

  it("can be read, though it would not be accepted any more", async () => {
    // Channels first, one class alone, and an entry of another name: each is refused today.
    const file = zipOf([...entries(arrays), { name: "notes.txt", bytes: Uint8Array.of(1) }]);
    await expect(readUpload(file)).rejects.toThrow(/may only have/);
    await expect(readUpload(zipOf(entries(arrays)))).rejects.toThrow(/channels first/);
    const { name, inputShape, labels, train, test } = await openUpload(recordOf({}), file);
    expect({ name, inputShape, labels }).toEqual({ name: "old@3", inputShape: [3, 8, 8], labels: ["only"] });
    expect(train).toMatchObject({ x: arrays["x_train"]?.values, y: Int32Array.of(0, 0), count: 2 });
    expect(test.count).toBe(1);
  });

  it.each([
    ["other samples", { inputShape: [3, 8, 9] }, /has 384 values, but must have 2 x 216/],
    ["another number of them", { samples: { train: 3, test: 1 } }, /has 2 samples, but must have 3/],
    ["token ids", { vocabulary: ["a", "b"] }, /x_train has 2 at place 2/],
  ])("is corrupt where its record says that it has %s", async (_what, fields, message) => {
    const opened = openUpload(recordOf(fields), zipOf(entries(arrays)));
    await expect(opened).rejects.toMatchObject({ code: "corrupt", message: expect.stringMatching(message) });
  });

  it("is corrupt where its file is none, or has classes beyond its labels", async () => {
    await expect(openUpload(recordOf({}), Uint8Array.of(1, 2))).rejects.toMatchObject({ code: "corrupt" });
    const beyond = { ...arrays, y_test: { values: Int32Array.of(1), shape: [1] } };
    const opened = openUpload(recordOf({}), zipOf(entries(beyond)));
    await expect(opened).rejects.toThrow(/the data set old@3 is not what its record says: y_test has 1 at place 0/);
  });
});
