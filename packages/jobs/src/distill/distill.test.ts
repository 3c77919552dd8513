import type { NewJobEvent } from "@whittle/contracts";
import { tf } from "@whittle/engine";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openBench, testJobKind, tinyTraining, type JobBench } from "../testing.ts";

const { dataset: _ofTheTeacher, ...training } = tinyTraining;
const params = { ...training, teacher: "tiny-base", familyParams: { hidden: [8] }, temperature: 3, alpha: 0.4 };

testJobKind("distill", { params, reseeded: { ...params, seed: 8 } });

const cnn = { family: "cnn", familyParams: { filters: [4, 8], dense: 0 } };

describe("distilling", () => {
  let bench: JobBench;
  beforeAll(async () => {
    bench = await openBench();
  });
  afterAll(() => bench.close());

  const metricsOf = async (reference: string) =>
    (await bench.store.manifest((await bench.store.resolve(reference)).digest)).metrics;

  it("teaches a student that sees no labels", async () => {
    await bench.run(
      "distill",
      { ...params, familyParams: { hidden: [16] }, alpha: 0, epochs: 6 },
      { id: "unlabelled" },
    );
    const [teacher, student] = [await metricsOf("tiny-base"), await metricsOf("unlabelled")];
    expect(student.accuracy?.value).toBeGreaterThan(0.9 * (teacher.accuracy?.value ?? 1));
  });

  it("trains as without a teacher when only the labels count", async () => {
    const student = { ...training, familyParams: { hidden: [8] } };
    await bench.run("train", { ...student, dataset: "tiny" }, { id: "alone" });
    await bench.run("distill", { ...student, teacher: "tiny-base", alpha: 1, temperature: 9 }, { id: "labelled" });
    const [alone, labelled] = [await metricsOf("alone"), await metricsOf("labelled")];
    expect(labelled.loss).toBeCloseTo(alone.loss ?? Number.NaN, 4);
  });

  it("takes several teachers, each of which is a parent, in the order of the request", async () => {
    const other = await bench.run("train", { ...tinyTraining, seed: 1, epochs: 1 }, { id: "other" });
    const { teacher: _one, ...rest } = params;
    const teachers = [{ model: "tiny-base", weight: 2 }, { model: "other" }];
    const { artifact } = await bench.run("distill", { ...rest, teachers }, { id: "of-two" });
    const { digest } = await bench.store.resolve("tiny-base");
    const { parents, job } = await bench.store.manifest(artifact?.digest ?? "");
    expect(parents.map((parent) => parent.digest)).toEqual([digest, other.artifact?.digest]);
    expect(parents.map(({ role }) => role)).toEqual(["teacher", "teacher"]);
    expect(job.params["teachers"]).toEqual([
      { model: digest, weight: 2 },
      { model: other.artifact?.digest, weight: 1 },
    ]);
  });

  it("learns the same from a teacher as from the same teacher twice", async () => {
    const { teacher: _one, ...rest } = params;
    const twice = { ...rest, teachers: [{ model: "tiny-base" }, { model: "tiny-base", weight: 3 }] };
    await bench.run("distill", params, { id: "once" });
    await bench.run("distill", twice, { id: "twice" });
    expect((await metricsOf("twice")).loss).toBeCloseTo((await metricsOf("once")).loss ?? Number.NaN, 4);
  });

  it("builds the teacher's like where no family is named, which then learns from it", async () => {
    const { family: _family, familyParams: _params, ...rest } = params;
    const { artifact } = await bench.run("distill", { ...rest, alpha: 0, seed: 3, epochs: 12 }, { id: "reborn" });
    const { config, metrics } = await bench.store.manifest(artifact?.digest ?? "");
    const teacher = await metricsOf("tiny-base");
    expect(config).toMatchObject({ family: "mlp", familyParams: { hidden: [16] } });
    expect(metrics.parameters).toBe(teacher.parameters);
    expect(metrics.accuracy?.value).toBeGreaterThan(0.9 * (teacher.accuracy?.value ?? 1));
  });

  it("builds the like of a teacher that has lost channels with the channels that are left, and other first weights", async () => {
    await bench.run("prune", { model: "tiny-base", method: "structured", amount: 0.5, roundTo: 1 }, { id: "narrow" });
    const { family: _family, familyParams: _params, ...rest } = { ...params, teacher: "narrow", epochs: 1 };
    const like = async (seed: number) => {
      const { artifact } = await bench.run("distill", { ...rest, seed, control: true });
      return bench.store.manifest(artifact?.digest ?? "");
    };
    const { config, metrics, files } = await like(3);
    expect(metrics.parameters).toBe((await metricsOf("narrow")).parameters);
    expect(config.compression).toEqual({ channels: { hidden1: 8 } });
    expect((await like(3)).files).toEqual(files);
    expect((await like(4)).metrics.control?.accuracy).not.toEqual(metrics.control?.accuracy);
  });

  it("brings the student's features closer to the teacher's by a hint", async () => {
    const lossWith = async (weight: number) => {
      const losses: number[] = [];
      const emit = (event: NewJobEvent) => void (event.type === "metrics" && losses.push(event.values["loss"] ?? 0));
      const tied = [{ teacher: "hidden1", student: "hidden1", weight }];
      await bench.run("distill", { ...params, alpha: 1, epochs: 8, hints: tied }, { emit });
      return losses.map((loss) => loss / weight);
    };
    // With so large a weight nothing but the hint is left of the loss.
    const losses = await lossWith(1000);
    expect(losses.at(-1)).toBeLessThan(0.6 * (losses[0] ?? 0));
  });

  it("learns features and attention of a convolutional teacher, on samples that change at every step", async () => {
    await bench.run("train", { ...tinyTraining, ...cnn, epochs: 1 }, { id: "eye" });
    const tied = [
      { teacher: "pool1", student: "pool1" },
      { teacher: "relu1", student: "relu1", type: "attention" },
    ];
    const augmented = { ...params, ...cnn, familyParams: { filters: [2] }, augment: { shift: 1 }, epochs: 1 };
    const before = tf.memory().numTensors;
    await bench.run("distill", { ...augmented, teacher: "eye", hints: tied }, { id: "tied" });
    await bench.run("distill", { ...augmented, teacher: "eye" }, { id: "untied" });
    expect(tf.memory().numTensors).toBe(before);
    expect((await metricsOf("tied")).loss).not.toBe((await metricsOf("untied")).loss);
  });

  it("learns features and attention of one layer of the teacher", async () => {
    await bench.run("train", { ...tinyTraining, ...cnn, epochs: 1 }, { id: "looked-at" });
    const both = [
      { teacher: "relu1", student: "relu1", weight: 5 },
      { teacher: "relu2", student: "relu2", type: "attention" },
      { teacher: "relu1", student: "relu1", type: "attention", weight: 7 },
    ];
    const lossWith = async (hints: object[]) => {
      const losses: number[] = [];
      const emit = (event: NewJobEvent) => void (event.type === "metrics" && losses.push(event.values["loss"] ?? 0));
      const given = { ...params, ...cnn, teacher: "looked-at", alpha: 1, epochs: 1, batchSize: 1024 };
      // One step: the loss is that of the first weights, and each hint adds to it.
      await bench.run("distill", { ...given, limit: { train: 100 }, hints }, { emit });
      return losses[0] ?? Number.NaN;
    };
    const none = await lossWith([]);
    const alone: number[] = [];
    for (const hint of both.slice(1)) alone.push((await lossWith([hint])) - none);
    const together = (await lossWith(both)) - none;
    const features = (await lossWith(both.slice(0, 1))) - none;
    expect(Math.min(features, ...alone)).toBeGreaterThan(0);
    expect(together).toBeCloseTo(features + alone.reduce((a, b) => a + b), 3);
  });

  it("goes on with its hints from where it was stopped", async () => {
    const tied = { ...params, hints: [{ teacher: "hidden1", student: "hidden1" }] };
    const whole = await bench.run("distill", tied);
    const controller = new AbortController();
    const emit = (event: NewJobEvent) =>
      void (event.type === "progress" && event.stage === "epoch 2/3" && controller.abort());
    const stopped = bench.run("distill", tied, { id: "hinted", emit, signal: controller.signal });
    await expect(stopped).rejects.toMatchObject({ code: "cancelled" });
    const steps: number[] = [];
    const note = (event: NewJobEvent) => void (event.type === "metrics" && steps.push(event.step));
    const resumed = await bench.run("distill", tied, { id: "hinted", emit: note });
    expect(steps).toEqual([2, 3]);
    expect(resumed.artifact?.digest).toBe(whole.artifact?.digest);
  });

  it("asks a teacher once for all jobs, and again where what it answered is damaged", async () => {
    const logs: string[] = [];
    const emit = (event: NewJobEvent) => void (event.type === "log" && logs.push(event.message));
    const known = () => logs.splice(0).filter((message) => message.startsWith("the teacher"));
    const asked = { ...params, limit: { train: 100 } };
    const run = async (more = {}) => (await bench.run("distill", { ...asked, ...more }, { emit })).artifact?.digest;
    const before = new Set(await bench.driver.list("scratch/"));
    const first = await run();
    expect(known()).toEqual([]);
    const key = (await bench.driver.list("scratch/")).find((each) => !before.has(each)) ?? "";
    expect(await run({ temperature: 2 })).not.toBe(first);
    expect(known()).toEqual(["the teacher's answers are known from an earlier job"]);
    await bench.driver.remove(key);
    await bench.driver.create(key, new Uint8Array(100));
    expect(await run()).toBe(first);
    expect(known()).toEqual([expect.stringContaining("asked again: scratch/answers-")]);
    expect(await run()).toBe(first);
    expect(known()).toEqual(["the teacher's answers are known from an earlier job"]);
  });

  it("is held against the same student without a teacher where that is asked for", async () => {
    const alone = await bench.run("train", { ...training, familyParams: { hidden: [8] }, dataset: "tiny" });
    const series: string[] = [];
    const emit = (event: NewJobEvent) =>
      void (event.type === "metrics" && series.push(`${event.series} ${event.step}`));
    const { metrics } = await bench.run("distill", { ...params, control: true }, { id: "held", emit });
    const { accuracy, control } = await metricsOf("held");
    expect(control?.accuracy).toEqual(alone.metrics["accuracy"]);
    const { onlyControl = 0, onlyThis = 0 } = control?.mcNemar ?? {};
    expect(onlyThis - onlyControl).toBe(Math.round(128 * ((accuracy?.value ?? 0) - (control?.accuracy.value ?? 0))));
    expect(metrics["control"]).toEqual(control);
    expect(series).toEqual(["epoch 1", "epoch 2", "epoch 3", "control 1", "control 2", "control 3"]);
    const { artifact } = await bench.run("distill", params);
    expect((await bench.store.manifest(artifact?.digest ?? "")).metrics.accuracy).toEqual(accuracy);
  });

  it("goes on with the control from where it was stopped, and does not train the student again", async () => {
    const held = { ...params, control: true };
    const whole = await bench.run("distill", held);
    const controller = new AbortController();
    const stages: string[] = [];
    const emit = (event: NewJobEvent) => {
      if (event.type === "progress") stages.push(event.stage);
      if (stages.at(-1) === "control: epoch 2/3") controller.abort();
    };
    const stopped = bench.run("distill", held, { id: "half", emit, signal: controller.signal });
    await expect(stopped).rejects.toMatchObject({ code: "cancelled" });
    const series: string[] = [];
    const note = (event: NewJobEvent) =>
      void (event.type === "metrics" && series.push(`${event.series} ${event.step}`));
    const resumed = await bench.run("distill", held, { id: "half", emit: note });
    expect(series).toEqual(["control 2", "control 3"]);
    expect(resumed.artifact?.digest).toBe(whole.artifact?.digest);
  });

  it.each([
    ["no teacher", { teacher: undefined }, "teacher", "name a model"],
    ["one and several", { teachers: [{ model: "tiny-base" }] }, "teachers", "must be left out where teacher is given"],
    ["no several", { teacher: undefined, teachers: [] }, "teachers", "1"],
    ["parameters of no family", { family: undefined }, "familyParams", "needs a family"],
    [
      "a layer that the teacher lacks",
      { hints: [{ teacher: "conv1", student: "hidden1" }] },
      "hints.0.teacher",
      "there are flatten, hidden1, logits",
    ],
    [
      "a layer that the student lacks",
      { hints: [{ teacher: "hidden1", student: "hidden9" }] },
      "hints.0.student",
      "there are flatten, hidden1, logits",
    ],
    [
      "places where there are none",
      { hints: [{ teacher: "hidden1", student: "hidden1", type: "attention" }] },
      "hints.0",
      "[16], the student's [8]",
    ],
    [
      "shapes that differ",
      { ...cnn, hints: [{ teacher: "hidden1", student: "pool1" }] },
      "hints.0",
      "in their last dimension only",
    ],
  ])("refuses %s", async (_what, wrong, path, message) => {
    await expect(bench.run("distill", { ...params, ...wrong })).rejects.toMatchObject({
      code: "invalid_request",
      issues: expect.arrayContaining([{ path: `params.${path}`, message: expect.stringContaining(message) }]),
    });
  });
});
