import type { Manifest } from "@whittle/contracts";
import { datasets } from "@whittle/zoo/catalog";
import { loadDataset, type Dataset } from "@whittle/zoo";
import { beforeAll, describe, expect, it } from "vitest";
import { checkFits } from "./model.ts";

describe("checkFits", () => {
  let tiny: Dataset;
  beforeAll(async () => {
    tiny = await loadDataset("tiny");
  });

  const digest = `sha256:${"0".repeat(64)}`;
  function artifact(shape: number[], labels: string[]) {
    const signature = {
      inputs: [{ name: "input", datatype: "FP32" as const, shape: [-1, ...shape] }],
      outputs: [{ name: "logits", datatype: "FP32" as const, shape: [-1, labels.length] }],
    };
    const config = { family: "mlp", familyParams: {}, signature, preprocessing: { scale: 1, offset: 0 }, labels };
    const job = { kind: "train", params: {} };
    const manifest: Manifest = { schemaVersion: 1, config, metrics: {}, job, parents: [], versions: {}, files: [] };
    return { param: "teacher", digest, manifest };
  }

  it("lets a model through that takes the samples and knows the classes", () => {
    expect(() => checkFits(artifact([8, 8, 1], tiny.labels), tiny)).not.toThrow();
  });

  it.each([
    ["the shape", artifact([28, 28, 1], datasets.tiny.labels), "[28, 28, 1], but tiny has [8, 8, 1]"],
    ["the number of classes", artifact([8, 8, 1], ["a", "b"]), "tells 2 classes apart, but tiny has 4"],
    ["the classes", artifact([8, 8, 1], ["a", "b", "c", "d"]), "classes are a, b, c, d"],
  ])("refuses a model that differs in %s, saying how", (_what, model, message) => {
    const issue = { path: "params.teacher", message: expect.stringContaining(message) };
    expect(() => checkFits(model, tiny)).toThrow(expect.objectContaining({ code: "invalid_request", issues: [issue] }));
  });
});
