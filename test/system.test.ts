import type { WhittleClient } from "@whittle/sdk";
import { classify, createSession } from "@whittle/onnx/runtime";
import { loadDataset, toFloat, type Split } from "@whittle/zoo";
import { npzOf } from "@whittle/zoo/uploaded/testing";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { Launched } from "../apps/cli/src/stack/launch.ts";
import { isRunning, startSystem, type System } from "./support/system.ts";

vi.setConfig({ testTimeout: 120_000 });

const student = { family: "mlp", familyParams: { hidden: [16] }, dataset: "tiny" } as const;
const learn = { epochs: 12, batchSize: 16, optimizer: { type: "adam", learningRate: 0.01 } } as const;
/** Runs for minutes, unless it is stopped. */
const long = { ...student, epochs: 10_000, batchSize: 16, restoreBest: false } as const;

let system: System;
let client: WhittleClient;
let worker: Launched;

beforeAll(async () => {
  system = await startSystem();
  client = system.client;
  worker = await system.startWorker();
}, 120_000);

afterAll(async () => system.close(), 60_000);

/** The process that runs a job, when it trains: the first such one, or in a later run the next. */
async function untilTraining(id: string): Promise<number> {
  for await (const event of client.events(id)) {
    const pid = event.type === "metrics" ? await processOf(id) : undefined;
    if (pid !== undefined) return pid;
  }
  throw new Error("the job has ended");
}

async function processOf(id: string): Promise<number | undefined> {
  const jobs = (await client.workers()).flatMap((one) => one.jobs);
  return jobs.find((job) => job.id === id)?.pid;
}

const names = async () => (await client.models()).map(({ name }) => name);

describe("a pipeline", () => {
  it("runs from HTTP to the prediction", async () => {
    const { steps } = await client.submitPipeline([
      {
        step: "teacher",
        kind: "train",
        params: { ...student, familyParams: { hidden: [32] }, ...learn },
        output: { name: "teacher" },
      },
      {
        step: "student",
        kind: "distill",
        params: { ...student, teacher: "$teacher", ...learn },
        output: { name: "student" },
      },
      {
        step: "pruned",
        kind: "prune",
        params: { model: "$student", amount: 0.5, fineTune: learn },
        output: { name: "pruned" },
      },
      { step: "small", kind: "quantize", params: { model: "$pruned" }, output: { name: "small", alias: "prod" } },
    ]);
    const ends = await Promise.all(steps.map(({ id }) => client.wait(id)));
    expect(ends.map(({ state, error }) => error?.message ?? state)).toEqual(Array(4).fill("completed"));
    expect(ends.map(({ result }) => result?.artifact?.name)).toEqual(["teacher", "student", "pruned", "small"]);

    const lineage = await client.lineage("small@prod");
    expect(lineage).toMatchObject({
      names: ["small@1"],
      parents: [
        {
          names: ["pruned@1"],
          parents: [{ names: ["student@1"], parents: [{ names: ["teacher@1"], role: "teacher" }] }],
        },
      ],
    });
    const card = await client.report("small@prod");
    expect(card).toMatch(/ecommended\*\* in place of pruned@1/);
    expect(card).toContain("McNemar");
    const manifest = await client.manifest("small@1");
    expect(manifest.metrics.accuracy?.value).toBeGreaterThan(0.9);

    const { test, inputShape, labels, digest, preprocessing } = await loadDataset("tiny");
    const teacher = await client.manifest("teacher");
    expect(teacher.data).toEqual({ name: "tiny", digest });

    const x = toFloat(test, preprocessing);
    const session = await createSession(await client.download("small@1", "onnx"));
    const expected = await classify(session, x, inputShape, test.count).finally(() => session.release());
    const [input] = (await client.servedModel("small@prod")).inputs;
    const shape = [test.count, ...inputShape];
    const answer = await client.predict("small@prod", [{ name: input?.name ?? "", datatype: "FP32", shape, data: x }]);
    expect(Float32Array.from(answer.outputs[0]?.data ?? [])).toEqual(expected.logits);

    const one = {
      name: input?.name ?? "",
      datatype: "FP32" as const,
      shape: [1, ...inputShape],
      data: x.subarray(0, 64),
    };
    const why = await client.explain("small@prod", one, { output: "logit", patch: 4 });
    const logits = [...expected.logits.subarray(0, 4)];
    expect(why).toMatchObject({ label: labels[logits.indexOf(Math.max(...logits))], method: "exact", evaluations: 16 });
    expect(why.value).toBeCloseTo(Math.max(...logits), 5);
    const sum = why.values.reduce((total, value) => total + value, 0);
    expect(sum).toBeCloseTo(why.value - why.baseline_value, 8);
  });

  it("runs on a data set that was uploaded, and its models are compressed on it", async () => {
    const { train, test, labels } = await loadDataset("tiny");
    const images = ({ x, count }: Split) => ({ values: Uint8Array.from(x), shape: [count, 8, 8] });
    const classes = ({ y, count }: Split) => ({ values: y, shape: [count] });
    const record = await client.uploadDataset(
      "patterns",
      npzOf({
        x_train: images(train),
        y_train: classes(train),
        x_test: images(test),
        y_test: classes(test),
        labels: { values: labels, shape: [labels.length] },
      }),
    );
    expect(record).toMatchObject({ version: 1, inputShape: [8, 8, 1], samples: { train: 512, test: 128 } });
    const { steps } = await client.submitPipeline([
      {
        step: "own",
        kind: "train",
        params: { ...student, ...learn, dataset: "patterns@1" },
        output: { name: "own" },
      },
      { step: "small", kind: "quantize", params: { model: "$own" }, output: { name: "own-small" } },
    ]);
    const ends = await Promise.all(steps.map(({ id }) => client.wait(id)));
    expect(ends.map(({ state, error }) => error?.message ?? state)).toEqual(["completed", "completed"]);
    for (const name of ["own", "own-small"]) {
      const { data, metrics, config } = await client.manifest(name);
      expect(data?.name).toBe("patterns@1");
      expect(metrics.accuracy).toMatchObject({ n: 128 });
      expect(metrics.accuracy?.value).toBeGreaterThan(0.9);
      expect(config.labels).toEqual(labels);
    }
  });

  it("fails with its step's reason, and nothing waits for ever", async () => {
    const { steps } = await client.submitPipeline([
      { step: "teacher", kind: "train", params: { ...student, epochs: 1 }, output: { name: "unlucky" } },
      // A quantized model has no trainable form.
      { step: "small", kind: "prune", params: { model: "small@1", amount: 0.5 }, output: { name: "never" } },
      { step: "after", kind: "quantize", params: { model: "$small" }, output: { name: "never" } },
    ]);
    const [, small, after] = await Promise.all(steps.map(({ id }) => client.wait(id)));
    expect(small).toMatchObject({
      state: "failed",
      error: { code: expect.stringMatching(/invalid_request|unsupported/) },
    });
    expect(after).toMatchObject({ state: "failed", error: { code: "failed_dependency" } });
    expect(after?.error?.message).toContain("small");
    expect(await names()).not.toContain("never");
  });
});

describe("a job", () => {
  it("is told in order, and the same to who asks later", async () => {
    const { id } = await client.submit("train", { ...student, epochs: 2 }, { output: { name: "told" } });
    const seen = [];
    for await (const event of client.events(id)) seen.push(event);
    const states = seen.flatMap((event) => (event.type === "state" ? [event.state] : []));
    expect(states).toEqual(["waiting", "running", "completed"]);
    const fractions = seen.flatMap((event) => (event.type === "progress" ? [event.fraction] : []));
    expect(fractions).toEqual(fractions.toSorted((a, b) => a - b));
    const again = [];
    for await (const event of client.events(id, { after: seen[1]?.id ?? "" })) again.push(event);
    expect(again).toEqual(seen.slice(2));
    expect((await client.metrics(id)).map(({ step }) => step)).toEqual([1, 2]);
    expect(await client.logs(id)).toEqual(seen.filter(({ type }) => type === "log"));
  });

  it("that is cancelled while it runs is stopped, and publishes nothing", async () => {
    const { id } = await client.submit("train", long, { output: { name: "unwanted" } });
    const pid = await untilTraining(id);
    expect(await isRunning(pid)).toBe(true);
    await client.cancel(id);
    expect(await client.wait(id)).toMatchObject({ state: "cancelled", error: { code: "cancelled" } });
    await expect.poll(() => isRunning(pid), { timeout: 10_000 }).toBe(false);
    expect(await names()).not.toContain("unwanted");
  });

  it("goes back to the queue when its worker leaves, without using an attempt", async () => {
    const { id } = await client.submit("train", long, { output: { name: "unwanted" }, attempts: 1 });
    const pid = await untilTraining(id);
    await worker.stop(30_000);
    expect(await worker.ended).toContain("exit code 0");
    expect(await isRunning(pid)).toBe(false);
    expect(await client.job(id)).toMatchObject({ state: "waiting", attemptsMade: 0 });
    const epochs = async () => (await client.metrics(id)).map(({ step }) => step);
    const before = await epochs();
    worker = await system.startWorker();
    await expect.poll(async () => (await epochs()).length, { timeout: 60_000 }).toBeGreaterThan(before.length);
    const after = await epochs();
    expect(after, "it goes on where it stopped").toEqual(after.map((_, i) => i + 1));
    await client.cancel(id);
    expect(await client.wait(id)).toMatchObject({ state: "cancelled" });
  });

  it("runs again when its worker is killed, and is published once", async () => {
    const { id } = await client.submit("train", { ...long, epochs: 300 }, { output: { name: "survivor" } });
    const pid = await untilTraining(id);
    worker.kill();
    await expect.poll(() => isRunning(pid), { timeout: 10_000 }).toBe(false);
    worker = await system.startWorker();
    const end = await client.wait(id);
    expect(end).toMatchObject({ state: "completed", result: { artifact: { name: "survivor", version: 1 } } });
    expect(await client.versions("survivor")).toMatchObject([{ version: 1, jobId: id }]);
  });
});

describe("the system", () => {
  it("answers 503 while Redis is away, and goes on by itself when it is back", async () => {
    system.killRedis();
    await expect.poll(() => fetch(`${system.apiUrl}/readyz`).then(({ status }) => status)).toBe(503);
    const refused = await fetch(`${system.apiUrl}/v1/jobs`);
    expect(refused.status).toBe(503);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    await expect(client.submit("train", { ...student, epochs: 1 })).rejects.toMatchObject({ code: "unavailable" });
    // What is served needs no Redis.
    await expect(client.servedModel("small@prod")).resolves.toMatchObject({ name: "small" });

    await system.startRedis();
    await expect
      .poll(() => fetch(`${system.apiUrl}/readyz`).then(({ status }) => status), { timeout: 20_000 })
      .toBe(200);
    const { id } = await client.submit("train", { ...student, epochs: 1 }, { output: { name: "after" } });
    expect(await client.wait(id)).toMatchObject({ state: "completed" });
  });
});
