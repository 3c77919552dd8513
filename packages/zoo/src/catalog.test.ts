import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { parse } from "@whittle/contracts";
import { describe, expect, it } from "vitest";
import { datasetName, datasets, families, familyName } from "./catalog.ts";
import { buildModel, loadDataset } from "./index.ts";

describe("the catalog", () => {
  it("names every entry as its folder, and says what it is", () => {
    for (const [name, entry] of [...Object.entries(families), ...Object.entries(datasets)]) {
      expect(entry.name).toBe(name);
      expect(entry.title).not.toBe("");
    }
  });

  it("lists what there is when another name is given", () => {
    const [familyNames, datasetNames] = [families, datasets].map((entries) => Object.keys(entries).join(", "));
    expect(() => parse(familyName, "none", "The family")).toThrow(familyNames);
    expect(() => parse(datasetName, "none", "The data set")).toThrow(datasetNames);
    expect(() => buildModel("none", {}, { inputShape: [1], classes: 2, seed: 1 })).toThrow(familyNames);
    return expect(loadDataset("none")).rejects.toThrow(datasetNames);
  });

  it("loads no TensorFlow", async () => {
    const code = `
      await import("@whittle/zoo/catalog");
      const { default: Module } = await import("node:module");
      console.log(JSON.stringify(Object.keys(Module._cache).filter((path) => path.includes("@tensorflow"))));`;
    const args = ["--import", "tsx", "--input-type=module", "-e", code];
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: import.meta.dirname });
    expect(JSON.parse(stdout)).toEqual([]);
  });
});
