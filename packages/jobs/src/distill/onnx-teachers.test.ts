import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { classify, createSession } from "@whittle/onnx/runtime";
import { loadDataset, toFloat } from "@whittle/zoo";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openBench, tinyTraining, type JobBench } from "../testing.ts";

const { dataset: _ofTheTeacher, ...training } = { ...tinyTraining, epochs: 20 };
const params = { ...training, familyParams: { hidden: [16] }, alpha: 0 };

/** Each way to make a model that is ONNX alone. */
const quantized: [name: string, params: Record<string, unknown>][] = [
  ["integers", {}],
  ["packed", { bits: 4, scheme: "symmetric" }],
  ["weights", { method: "weights", bits: 4 }],
  ["blocks", { method: "weights", bits: 4, granularity: "block" }],
  ["half", { method: "float16" }],
  ["aware", { method: "aware", training: { epochs: 1 } }],
  ["dynamic", { method: "dynamic" }],
];

describe("a teacher that is ONNX alone", () => {
  let bench: JobBench;
  beforeAll(async () => {
    bench = await openBench({ base: false });
    await bench.run("train", { ...tinyTraining, epochs: 20 }, { id: "float" });
    for (const [id, how] of quantized) await bench.run("quantize", { model: "float", ...how }, { id });
    const torch = await readFile(new URL("../../../onnx/src/import/fixtures/mlp.onnx", import.meta.url));
    await bench.store.putContent(torch);
    const file = `sha256:${createHash("sha256").update(torch).digest("hex")}`;
    await bench.run("import", { file, dataset: "tiny" }, { id: "torch" });
    await bench.run("quantize", { model: "torch" }, { id: "torch-integers" });
  });
  afterAll(() => bench.close());

  const manifestOf = async (reference: string) => bench.store.manifest((await bench.store.resolve(reference)).digest);

  const accuracyOf = async (reference: string) => (await manifestOf(reference)).metrics.accuracy?.value ?? Number.NaN;

  /** What a job makes, and the logits that it has kept of its teachers. */
  async function distill(more: Record<string, unknown>) {
    const before = new Set(await bench.driver.list("scratch/answers-"));
    const { artifact } = await bench.run("distill", { ...params, ...more });
    const added = (await bench.driver.list("scratch/answers-")).filter((key) => !before.has(key));
    const kept = added.map(async (key) => bench.store.scratch(key.split("/")[1] ?? "").read("logits"));
    const answers = (await Promise.all(kept)).map((bytes) => new Float32Array(new Uint8Array(bytes ?? []).buffer));
    return { answers, manifest: await bench.store.manifest(artifact?.digest ?? "") };
  }

  /** The logits of the training samples, each in a call of its own. */
  async function oneByOne(model: string): Promise<Float32Array> {
    const { train, inputShape } = await loadDataset("tiny");
    const manifest = await manifestOf(model);
    const session = await createSession(await bench.store.readFile(manifest, "onnx"));
    const { logits } = await classify(session, toFloat(train, manifest.config.preprocessing), inputShape, 1);
    await session.release();
    return logits;
  }

  it.each([...quantized.map(([name]) => name), "torch-integers"])(
    "teaches a student that sees no labels: %s",
    async (teacher) => {
      const { manifest } = await distill({ teacher });
      const { digest } = await bench.store.resolve(teacher);
      expect(manifest.parents).toEqual([{ role: "teacher", digest }]);
      expect(manifest.metrics.accuracy?.value).toBeGreaterThan(0.9 * (await accuracyOf(teacher)));
      expect(manifest.config.compression).toBeUndefined();
    },
  );

  it("answers as it does in ONNX Runtime, and not as the model that it was made from", async () => {
    const given = { teacher: "packed", epochs: 1, validationSplit: 0, seed: 1 };
    const [answers = new Float32Array()] = (await distill({ ...given, limit: { test: 100 } })).answers;
    const [own, float] = [await oneByOne("packed"), await oneByOne("float")];
    const distance = (other: Float32Array) =>
      other.reduce((most, logit, at) => Math.max(most, Math.abs(logit - (answers[at] ?? Number.NaN))), 0);
    expect(answers.length).toBe(own.length);
    expect(distance(own)).toBeLessThan(1e-4);
    expect(distance(float)).toBeGreaterThan(1e-2);
  });

  it("teaches beside others, of whatever form", async () => {
    const names = ["float", "integers", "torch"];
    const { manifest } = await distill({ teachers: names.map((model) => ({ model })) });
    const digests = await Promise.all(names.map(async (name) => (await bench.store.resolve(name)).digest));
    expect(manifest.parents.map(({ digest }) => digest)).toEqual(digests);
    expect(manifest.metrics.accuracy?.value).toBeGreaterThan(0.9 * (await accuracyOf("float")));
  });

  const hints = [{ teacher: "hidden1", student: "hidden1" }];

  it("may stand behind a first one that gives hints", async () => {
    const teachers = [{ model: "float" }, { model: "integers" }];
    const { manifest } = await distill({ teachers, hints });
    expect(manifest.metrics.accuracy?.value).toBeGreaterThan(0.9 * (await accuracyOf("float")));
  });

  it.each([
    ["hints", { teacher: "integers", hints }, "params.teacher has no form that can be trained: it is quantized"],
    [
      "hints",
      { teachers: [{ model: "torch" }, { model: "float" }], hints },
      "params.teachers.0.model has no form that can be trained: it was imported as ONNX",
    ],
    [
      "augment",
      { teachers: [{ model: "float" }, { model: "half" }], augment: { shift: 1 } },
      "params.teachers.1.model has no form that can be trained: it is quantized",
    ],
    ["family", { teacher: "integers", family: undefined, familyParams: {} }, "the teacher is quantized"],
  ])("is refused at %s, which takes its layers: %o", async (path, more, message) => {
    await expect(bench.run("distill", { ...params, ...more })).rejects.toMatchObject({
      code: "invalid_request",
      issues: [{ path: `params.${path}`, message: expect.stringContaining(message) }],
    });
  });
});
