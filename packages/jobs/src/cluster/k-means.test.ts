import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { kMeans } from "./k-means.ts";

const numbers = z.array(z.number());
const fixture = z.object({
  sets: z.record(z.string(), numbers),
  cases: z.array(z.object({ name: z.string(), k: z.number(), centroids: numbers, assignment: numbers })),
});
const numpy = fixture.parse(
  JSON.parse(await readFile(new URL("fixtures/numpy-k-means.json", import.meta.url), "utf8")),
);

const cluster = (values: number[], k: number) => {
  const { centroids, assignment } = kMeans(Float32Array.from(values), k);
  return { centroids: Array.from(centroids), assignment: Array.from(assignment) };
};

describe("k-means of numbers", () => {
  it("begins at equal distances and moves to the means", () => {
    // From 0, 6, 12: {0, 1, 2}, {7}, {10, 12}, which the means 1, 7, 11 leave as they are.
    expect(cluster([10, 0, 7, 2, 12, 1], 3)).toEqual({ centroids: [1, 7, 11], assignment: [2, 0, 1, 0, 2, 0] });
  });

  it("gives what lies midway to the lower centroid, and leaves out what has no members", () => {
    // From 0, 2, 4, 6, 8: 1 goes to 0 and 7 to 6; nothing is near 4, and 2 has none.
    expect(cluster([0, 1, 7, 8, 0, 0.5], 5).centroids).toEqual([0, 0.5, 1, 7, 8]);
    expect(cluster([0, 1, 7, 8, 0.25, 0.5], 5)).toEqual({ centroids: [0.4375, 7, 8], assignment: [0, 0, 1, 2, 0, 0] });
  });

  it("keeps values that are few enough, so that doing it again changes nothing", () => {
    expect(cluster([3, -1, 3, 0], 4)).toEqual({ centroids: [-1, 0, 3], assignment: [2, 0, 2, 1] });
    expect(cluster([5], 1)).toEqual({ centroids: [5], assignment: [0] });
  });

  it.each(numpy.cases)("agrees with numpy: $name, k = $k", ({ name, k, centroids, assignment }) => {
    const found = cluster(numpy.sets[name] ?? [], k);
    expect(found.assignment).toEqual(assignment);
    for (const [at, centroid] of centroids.entries()) expect(found.centroids[at]).toBeCloseTo(centroid, 5);
  });
});
