import { AppError, type NewJobEvent } from "@whittle/contracts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openBench, tinyTraining, type JobBench } from "./testing.ts";

const { dataset: _ofTheTeacher, ...training } = tinyTraining;
const distilling = { ...training, teacher: "tiny-base", familyParams: { hidden: [8] }, epochs: 1 };

describe("runJob", () => {
  let bench: JobBench;
  beforeAll(async () => {
    bench = await openBench();
  });
  afterAll(() => bench.close());

  it("publishes under the job's output and returns the version and what was measured", async () => {
    const { artifact, metrics } = await bench.run("train", tinyTraining, { id: "published" });
    expect(artifact).toMatchObject({ name: "published", version: 1 });
    expect(await bench.store.resolve("published@1")).toMatchObject({ digest: artifact?.digest });
    const { metrics: kept } = await bench.store.manifest(artifact?.digest ?? "");
    expect(metrics).toMatchObject(kept);
    const { measurements } = await bench.store.version("published", 1);
    expect(measurements).toMatchObject({ latencyMs: { b1: {}, b32: {} }, trainingSeconds: expect.any(Number) });
    const execution = { mode: "graph", precision: "float32", reason: expect.stringMatching(/faster than/) };
    expect(measurements).toMatchObject({ execution });
    expect(metrics).toMatchObject({ execution });
  });

  it("tells its progress in rising order, each epoch's values, and what it does", async () => {
    const events: NewJobEvent[] = [];
    await bench.run("train", tinyTraining, { emit: (event) => events.push(event) });
    const fractions = events.flatMap((event) => (event.type === "progress" ? [event.fraction] : []));
    expect(fractions).toEqual(fractions.toSorted((a, b) => a - b));
    const points = events.filter((event) => event.type === "metrics");
    expect(points.map(({ series, step }) => `${series} ${step}`)).toEqual(["epoch 1", "epoch 2", "epoch 3"]);
    const names = ["accuracy", "learningRate", "loss", "valAccuracy", "valLoss"];
    expect(Object.keys(points[0]?.values ?? {}).toSorted()).toEqual(names);
    expect(events.some((event) => event.type === "log" && event.message.startsWith("epoch 3/3"))).toBe(true);
  });

  describe("a job that would make what another has made", () => {
    const versionsOf = (name: string) => bench.store.versions(name);

    it("publishes that under its own name without running, with what was measured", async () => {
      const first = await bench.run("distill", distilling, { id: "distilled" });
      const events: NewJobEvent[] = [];
      const emit = (event: NewJobEvent) => events.push(event);
      const again = await bench.run(
        "distill",
        { ...distilling, teacher: "tiny-base@1" },
        { id: "again", fresh: false, emit },
      );
      expect(again).toEqual({
        artifact: { name: "again", version: 1, digest: first.artifact?.digest },
        metrics: first.metrics,
        cached: { jobId: "distilled", name: "distilled", version: 1 },
      });
      expect(events).toEqual([{ type: "log", level: "info", message: expect.stringContaining("job distilled") }]);
      const [[one], [other]] = [await versionsOf("distilled"), await versionsOf("again")];
      expect(other).toMatchObject({ jobId: "again", measurements: one?.measurements });
      expect(one?.measurements.latencyMs).toBeDefined();
    });

    it.each([
      ["it is told to run", {}, { fresh: true }],
      ["a parameter differs", { alpha: 0.4 }, { fresh: false }],
      ["the data differ", { limit: { test: 100 } }, { fresh: false }],
    ])("runs where %s", async (_where, other, options) => {
      await bench.run("distill", distilling);
      const { cached } = await bench.run("distill", { ...distilling, ...other }, options);
      expect(cached).toBeUndefined();
    });

    it("runs, and says why, where what was made is damaged", async () => {
      const { artifact } = await bench.run("distill", distilling, { id: "lost" });
      const { files } = await bench.store.manifest(artifact?.digest ?? "");
      await bench.driver.remove(`blobs/sha256/${files[0]?.digest.slice(7)}`);
      const warnings: string[] = [];
      const emit = (event: NewJobEvent) => {
        if (event.type === "log" && event.level === "warn") warnings.push(event.message);
      };
      const { cached, artifact: remade } = await bench.run("distill", distilling, { id: "remade", fresh: false, emit });
      expect(cached).toBeUndefined();
      expect(warnings[0]).toContain("made anew: model.json is damaged");
      expect(remade?.digest).toBe(artifact?.digest);
      expect(await bench.store.verify(artifact?.digest ?? "")).toEqual([]);
    });

    it("may be stopped by what the job's host says before it publishes", async () => {
      await bench.run("distill", distilling);
      const late = new AppError("conflict", "run 1 is not the latest");
      const mayPublish = () => Promise.reject(late);
      await expect(bench.run("distill", distilling, { id: "late", fresh: false, mayPublish })).rejects.toBe(late);
      await expect(bench.store.resolve("late")).rejects.toMatchObject({ code: "not_found" });
    });
  });

  it("refuses a kind that it does not have, saying which there are", async () => {
    const refused = bench.run("sharpen", {});
    await expect(refused).rejects.toMatchObject({ code: "unsupported", message: expect.stringContaining("distill") });
  });

  it("refuses wrong parameters, each at its path", async () => {
    const refused = bench.run("train", { ...tinyTraining, epochs: 0 });
    await expect(refused).rejects.toMatchObject({ code: "invalid_request", issues: [{ path: "params.epochs" }] });
    const misbuilt = bench.run("train", { ...tinyTraining, familyParams: { hidden: ["wide"] } });
    await expect(misbuilt).rejects.toMatchObject({ issues: [{ path: "params.familyParams.hidden.0" }] });
  });

  it("says that a model is not in the store", async () => {
    const refused = bench.run("evaluate", { model: "tiny-base@9" });
    await expect(refused).rejects.toMatchObject({ code: "not_found" });
  });

  it("fails with the reason that it was stopped for", async () => {
    const reason = new AppError("timeout", "ran for longer than 1 s");
    const controller = new AbortController();
    const emit = ({ type }: NewJobEvent) => type === "metrics" && controller.abort(reason);
    const stopped = bench.run("train", tinyTraining, { id: "stopped", signal: controller.signal, emit });
    await expect(stopped).rejects.toBe(reason);
    await expect(bench.store.resolve("stopped")).rejects.toMatchObject({ code: "not_found" });
  });
});
