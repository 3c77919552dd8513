import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { describe, expect, it, beforeAll, afterAll } from "vitest";
import { proportion, type NewJobEvent } from "@whittle/contracts";
import { readUpload } from "@whittle/zoo/uploaded";
import { npzOf } from "@whittle/zoo/uploaded/testing";
import { reportMarkdown } from "../report/index.ts";
import { openBench, testJobKind, type JobBench } from "../testing.ts";

/** Classifiers of the patterns of `tiny` that torch exported: see export.py beside them. */
const read = async (name: string) => {
  const path = new URL(`../../../onnx/src/import/fixtures/${name}.onnx`, import.meta.url);
  return new Uint8Array(await readFile(path));
};
const digestOf = (bytes: Uint8Array) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
const cnn = await read("cnn");

testJobKind("import", { params: { file: digestOf(cnn), dataset: "tiny" }, uploads: [cnn] });

describe("importing", () => {
  let bench: JobBench;
  beforeAll(async () => {
    bench = await openBench({ base: false });
    await bench.store.putContent(cnn);
    await bench.run("import", { file: digestOf(cnn), dataset: "tiny" }, { id: "cnn" });
  });
  afterAll(() => bench.close());

  async function imported(params: object, name = "cnn") {
    const logs: string[] = [];
    const bytes = await read(name);
    const { digest: file } = await bench.store.putContent(bytes);
    const emit = (event: NewJobEvent) => event.type === "log" && logs.push(`${event.level}: ${event.message}`);
    const { artifact } = await bench.run("import", { file, dataset: "tiny", ...params }, { emit });
    const manifest = await bench.store.manifest(artifact?.digest ?? "");
    return { manifest, logs, record: await bench.store.version(artifact?.name ?? "", artifact?.version ?? 0) };
  }

  it.each(["mlp", "cnn", "residual", "depthwise"])("knows the patterns that %s was taught in torch", async (name) => {
    const { manifest } = await imported({}, name);
    expect(manifest.metrics.accuracy?.value).toBeGreaterThan(0.9);
    expect(manifest.config).toMatchObject({ family: "imported", familyParams: { file: digestOf(await read(name)) } });
  });

  it("says in the log what was changed, and in the card where the model is from", async () => {
    const { manifest, record, logs } = await imported({}, "mlp");
    expect(logs).toContainEqual(expect.stringContaining("info: the Softmax at the end was taken off"));
    const card = reportMarkdown({ manifest, record });
    expect(card).toContain(`Imported from an ONNX file, ${digestOf(await read("mlp"))}`);
    expect(card).toContain("It can be quantized or be a teacher, but not be trained, pruned or clustered here");
  });

  it("warns, in the log and in the card, where the shape does not tell which axis the channels are", async () => {
    // The samples and the model's input are [8, 8], so that the rows of either may be the other's columns.
    const count = { train: 64, test: 32 };
    const split = (side: "train" | "test") => {
      const values = Float32Array.from({ length: count[side] * 64 }, (_none, at) => Math.sin(at));
      return {
        x: { values, shape: [count[side], 8, 8] },
        y: Int32Array.from({ length: count[side] }, (_none, at) => at % 4),
      };
    };
    const [train, test] = [split("train"), split("test")];
    const square = npzOf({
      x_train: train.x,
      y_train: { values: train.y, shape: [count.train] },
      x_test: test.x,
      y_test: { values: test.y, shape: [count.test] },
    });
    await bench.store.datasets.add(square, {
      name: "square",
      actor: "me",
      content: (await readUpload(square)).content,
    });
    const warning = expect.stringMatching(
      /^warn: the model takes \[n, 8, 8\], where the channels may be first or last/,
    );
    const open = await imported({ dataset: "square@1" }, "square");
    expect(open.logs).toContainEqual(warning);
    expect(reportMarkdown(open)).toMatch(/Imported from an ONNX file.*Warning: the model takes \[n, 8, 8\]/);
    for (const channels of ["first", "last"]) {
      const { logs, manifest } = await imported({ dataset: "square@1", channels }, "square");
      expect(logs).not.toContainEqual(warning);
      expect(manifest.config.familyParams).toEqual({ file: digestOf(await read("square")) });
      const transposed = logs.some((line) => line.includes("a Transpose was put at the input"));
      expect(transposed).toBe(channels === "first");
    }
  });

  it("warns of an accuracy at the level of chance, as with values that are scaled otherwise", async () => {
    const warning = expect.stringMatching(/^warn: .*no better than naming one class always \(25\.00%\).*preprocessing/);
    expect((await imported({ preprocessing: { scale: 0, offset: 0 } })).logs).toContainEqual(warning);
    expect((await imported({})).logs).not.toContainEqual(warning);
  });

  it.each([
    ["a digest of nothing", { file: `sha256:${"0".repeat(64)}` }, /^params\.file: there is no upload/],
    ["no digest", { file: "model.onnx" }, /sha256: and 64 hexadecimal digits/],
    [
      "samples of another shape",
      { dataset: "fashion-mnist", limit: { train: 1, test: 1 } },
      /^params\.file: The model takes/,
    ],
  ])("refuses %s", async (_what, params, message) => {
    await expect(imported(params)).rejects.toThrow(message);
  });

  it("refuses a file that is no ONNX, and a model of fewer classes than the data has", async () => {
    const { digest: file } = await bench.store.putContent(Uint8Array.of(1, 2, 3));
    const broken = bench.run("import", { file, dataset: "tiny" });
    await expect(broken).rejects.toMatchObject({ code: "invalid_request", issues: [{ path: "params.file" }] });
    await expect(imported({}, "three")).rejects.toThrow(
      /^params\.file: the model gives 3 scores, but tiny has 4 classes/,
    );
  });

  it.each([
    ["static", {}],
    ["weights", { method: "weights", bits: 4, granularity: "block" }],
    ["float16", { method: "float16" }],
    ["automatic bits", { bits: "auto", calibration: { samples: 256 } }],
    ["a budget of bits", { averageBits: 6, calibration: { samples: 256 } }],
    ["AdaRound", { rounding: "adaround", bits: 4 }],
  ])("gives a model that is quantized like any other: %s", async (_what, params) => {
    const { metrics } = await bench.run("quantize", { model: "cnn", ...params });
    expect(proportion.parse(metrics["accuracy"]).value).toBeGreaterThan(0.9);
    expect(metrics["comparison"]).toMatchObject({ role: "base" });
  });

  it("gives a model that dynamic quantization takes where it has dense layers alone", async () => {
    const { digest: file } = await bench.store.putContent(await read("mlp"));
    await bench.run("import", { file, dataset: "tiny" }, { id: "mlp" });
    const { artifact } = await bench.run("quantize", { model: "mlp", method: "dynamic" }, { id: "mlp-dynamic" });
    const { config } = await bench.store.manifest(artifact?.digest ?? "");
    expect(config).toMatchObject({ family: "imported", compression: { quantization: { bits: 8, method: "dynamic" } } });
    await expect(bench.run("quantize", { model: "cnn", method: "dynamic" })).rejects.toThrow(/is a convolution/);
  });

  it("gives a model that is evaluated as it was measured", async () => {
    const { digest } = await bench.store.resolve("cnn");
    const { accuracy, loss } = (await bench.store.manifest(digest)).metrics;
    expect((await bench.run("evaluate", { model: "cnn" })).metrics).toMatchObject({ accuracy, loss });
  });

  it("gives a teacher, of whose answers alone a student of a named family learns the patterns", async () => {
    const student = { family: "mlp", familyParams: { hidden: [32] } };
    const training = { epochs: 12, batchSize: 16, optimizer: { type: "adam", learningRate: 0.01 }, alpha: 0 };
    const { metrics, artifact } = await bench.run("distill", { teacher: "cnn", ...student, ...training });
    const { digest } = await bench.store.resolve("cnn");
    expect((await bench.store.manifest(artifact?.digest ?? "")).parents).toEqual([{ role: "teacher", digest }]);
    expect(proportion.parse(metrics["accuracy"]).value).toBeGreaterThan(0.9);
    const like = bench.run("distill", { teacher: "cnn" });
    await expect(like).rejects.toThrow(/^params\.family: must name the student's: the teacher was imported/);
  });

  it.each([
    ["prune", { model: "cnn", amount: 0.5 }],
    ["cluster", { model: "cnn" }],
    ["distill", { teacher: "cnn", family: "mlp", augment: { shift: 1 } }],
    ["distill", { teacher: "cnn", family: "mlp", hints: [{ teacher: "conv1", student: "hidden1" }] }],
    ["quantize", { model: "cnn", method: "aware" }],
  ])("gives a model that can't be trained, and %s says why", async (kind, params) => {
    await expect(bench.run(kind, params)).rejects.toThrow(/no form that can be trained: it was imported as ONNX/);
  });
});
