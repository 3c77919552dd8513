import type { JobResult } from "@whittle/contracts";
import { initEngine } from "@whittle/engine";
import { loadDataset, toFloat, type Dataset } from "@whittle/zoo";
import { readUpload } from "@whittle/zoo/uploaded";
import { npzOf, type Arrays } from "@whittle/zoo/uploaded/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openBench, tinyTraining, type JobBench } from "./testing.ts";

let bench: JobBench;
let tiny: Dataset;

beforeAll(async () => {
  await initEngine();
  bench = await openBench();
  tiny = await loadDataset("tiny");
});
afterAll(() => bench.close());

/** Uploads a data set as the API does. */
async function upload(name: string, arrays: Arrays): Promise<void> {
  const file = npzOf(arrays);
  const { content } = await readUpload(file);
  await bench.store.datasets.add(file, { name, actor: "me", content });
}

/** The samples of `tiny`, or what is made of each side's, with their labels. */
function tinyArrays(xOf: (side: "train" | "test") => Arrays[string]): Arrays {
  return {
    x_train: xOf("train"),
    y_train: { values: tiny.train.y, shape: [tiny.train.count] },
    x_test: xOf("test"),
    y_test: { values: tiny.test.y, shape: [tiny.test.count] },
    labels: { values: tiny.labels, shape: [tiny.labels.length] },
  };
}

const bytes = (side: "train" | "test") => {
  const { x, count } = tiny[side];
  return { values: Uint8Array.from(x), shape: [count, 8, 8] };
};
const floats = (side: "train" | "test", shape: number[]) => {
  return { values: toFloat(tiny[side], tiny.preprocessing), shape: [tiny[side].count, ...shape] };
};

async function onnxOf({ artifact }: JobResult): Promise<Uint8Array> {
  return bench.store.readFile(await bench.store.manifest(artifact?.digest ?? ""), "onnx");
}

const accuracyOf = ({ metrics }: JobResult) => metrics["accuracy"];

describe("an uploaded data set", () => {
  it("of the same samples gives the same model as the zoo's, whole and in part", async () => {
    await upload("same", tinyArrays(bytes));
    for (const limit of [{}, { train: 200, test: 50 }]) {
      const ofZoo = await bench.run("train", { ...tinyTraining, limit });
      const own = await bench.run("train", { ...tinyTraining, limit, dataset: "same@1" });
      expect(await onnxOf(own)).toEqual(await onnxOf(ofZoo));
      expect(accuracyOf(own)).toEqual(accuracyOf(ofZoo));
    }
  });

  it("is the one that a model made with it is compressed and judged on", async () => {
    await upload("judged", tinyArrays(bytes));
    await bench.run("train", { ...tinyTraining, dataset: "judged@1" }, { id: "own" });
    const { digest } = await bench.store.resolve("own");
    expect((await bench.store.manifest(digest)).data?.name).toBe("judged@1");
    const reference = await bench.run("quantize", { model: "tiny-base" });
    const quantized = await bench.run("quantize", { model: "own" });
    expect(await onnxOf(quantized)).toEqual(await onnxOf(reference));
    expect(quantized.metrics["comparison"]).toEqual({
      ...Object(reference.metrics["comparison"]),
      digest,
    });
    const pruned = await bench.run("prune", { model: "own", amount: 0.5, fineTune: { epochs: 1 } });
    expect(pruned.artifact).toBeDefined();
    const elsewhere = await bench.run("evaluate", { model: "own", dataset: "tiny" });
    expect(accuracyOf(elsewhere)).toEqual(accuracyOf(await bench.run("evaluate", { model: "own" })));
  });

  it("may be floats: images, vectors and rows", async () => {
    const ofZoo = await bench.run("train", tinyTraining);
    const shapes = { images: [8, 8, 1], vectors: [64], rows: [8, 8] };
    for (const [name, shape] of Object.entries(shapes)) {
      await upload(
        name,
        tinyArrays((side) => floats(side, shape)),
      );
      const own = await bench.run("train", { ...tinyTraining, dataset: `${name}@1` }, { id: `of-${name}` });
      expect(accuracyOf(own), name).toEqual(accuracyOf(ofZoo));
      expect(accuracyOf(await bench.run("quantize", { model: `of-${name}` })), name).toBeDefined();
    }
    const gru = { family: "gru", familyParams: { units: [8] }, dataset: "rows@1", epochs: 1 };
    expect((await bench.run("train", gru)).artifact).toBeDefined();
  });

  it("may be token ids, more than a byte can hold", async () => {
    const steps = 8;
    const words = Array.from({ length: 300 }, (_, at) => `word${at}`);
    // A text is of the class whose words it has: those below 150, or those from there on.
    const idsOf = (y: Int32Array) =>
      Int32Array.from(
        { length: y.length * steps },
        (_, at) => (y[Math.floor(at / steps)] ?? 0) * 150 + ((at * 37) % 150),
      );
    const classes = (count: number) => Int32Array.from({ length: count }, (_, at) => at % 2);
    const side = (count: number) => [
      { values: idsOf(classes(count)), shape: [count, steps] },
      { values: classes(count), shape: [count] },
    ];
    const [[x_train, y_train], [x_test, y_test]] = [side(256), side(64)];
    if (!x_train || !y_train || !x_test || !y_test) throw new Error("no arrays");
    await upload("texts", { x_train, y_train, x_test, y_test, vocabulary: { values: words, shape: [300] } });
    const settings = { epochs: 5, batchSize: 16, optimizer: { type: "adam", learningRate: 0.02 } };
    const trained = await bench.run("train", { family: "text-cnn", dataset: "texts@1", ...settings });
    expect(accuracyOf(trained)).toMatchObject({ value: 1 });
    expect((await bench.store.manifest(trained.artifact?.digest ?? "")).config.vocabulary).toEqual(words);
  });

  it("that a family can't take, or that is not there, ends the job with a reason", async () => {
    await upload(
      "flat",
      tinyArrays((side) => floats(side, [64])),
    );
    await expect(bench.run("train", { family: "cnn", dataset: "flat@1" })).rejects.toMatchObject({
      code: "invalid_request",
      issues: [{ path: "params.family", message: "a cnn takes images [height, width, channels], not [64]" }],
    });
    await expect(bench.run("train", { ...tinyTraining, dataset: "flat@2" })).rejects.toMatchObject({
      code: "not_found",
      message: "the data set flat has no version 2; it has 1",
    });
  });

  it("is named with its version; the error lists what there is instead", async () => {
    await expect(bench.run("train", { ...tinyTraining, dataset: "flat" })).rejects.toThrow(
      /params.dataset: must be a data set of the zoo \(cifar-10, .*udhr\) or an uploaded one with its version, such as mine@1, not "flat"/,
    );
  });
});
