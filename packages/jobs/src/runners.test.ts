import { AppError, type NewJobEvent } from "@whittle/contracts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openBench, tinyTraining, type JobBench } from "./testing.ts";

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
