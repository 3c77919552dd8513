import { describe, expect, it } from "vitest";
import { batchKey, concatenate, rowsOf, split } from "./batch.ts";
import type { Tensors } from "./messages.ts";

const request = (...rows: number[][]): Tensors => ({
  x: { datatype: "FP32", shape: [rows.length, 2], data: Float32Array.from(rows.flat()) },
  n: { datatype: "INT64", shape: [rows.length], data: BigInt64Array.from(rows, (row) => BigInt(row[0] ?? 0)) },
});

describe("a batch", () => {
  it("holds the requests one after the other, and gives each its own back", () => {
    const requests = [request([1, 2]), request([3, 4], [5, 6]), request([7, 8])];
    const together = concatenate(requests);
    expect(together).toEqual(request([1, 2], [3, 4], [5, 6], [7, 8]));
    expect(split(together, requests.map(rowsOf))).toEqual(requests);
  });

  it("is of requests that differ only in their number of samples", () => {
    expect(batchKey(request([1, 2]))).toBe(batchKey(request([3, 4], [5, 6])));
    const wider: Tensors = { ...request([1, 2]), x: { datatype: "FP32", shape: [1, 3], data: new Float32Array(3) } };
    expect(batchKey(wider)).not.toBe(batchKey(request([1, 2])));
  });

  it("can't be cut when an output has not one row for each sample", () => {
    expect(() => split(request([1, 2]), [1, 1])).toThrow("output x has 1 rows for 2 samples");
  });
});
