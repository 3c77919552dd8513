import { once } from "node:events";
import { rm } from "node:fs/promises";
import { Agent, request } from "node:http";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { spawnThread } from "./engine/spawn-thread.ts";
import { denseModel } from "./testing/models.ts";
import { startServe, startServeForTest, type TestServe } from "./testing/server.ts";

const patient = { timeout: 40_000 };
const instances = [[1, 2, 3]];
const predict = (serve: TestServe, model: string) => serve.post(`/v1/models/${model}:predict`, { instances });
/** logits of {@link denseModel} with this bias for `instances`. */
const answerWith = (bias: [number, number]) => ({ predictions: [[4 + bias[0], 5 + bias[1]]] });

let serve: TestServe;
beforeAll(async () => {
  serve = await startServe({ models: ["configured"], maxOnDemand: 2 });
});
afterAll(() => serve.remove());

describe("a serving app", () => {
  it("is alive but not ready until what it is configured for is in the store, then serves it by itself", async () => {
    expect(await serve.get("/healthz")).toMatchObject({ status: 200 });
    const missing = [expect.stringContaining('configured: there is no model "configured"')];
    await expect
      .poll(() => serve.get("/readyz"), patient)
      .toMatchObject({ status: 503, body: { ready: false, missing } });
    expect(await serve.get("/v2/health/ready")).toMatchObject({ status: 400, body: { ready: false } });
    await serve.publish(denseModel(), "configured");
    await expect.poll(() => serve.get("/readyz"), patient).toMatchObject({ status: 200, body: { ready: true } });
    expect((await predict(serve, "configured")).body).toEqual(answerWith([0, 0]));
  });

  it("answers every request while versions follow each other, never with an older one than before", async () => {
    await serve.publish(denseModel(), "swapped", "prod");
    const answers: number[] = [];
    const swapped = new AbortController();
    const client = async () => {
      while (!swapped.signal.aborted) {
        const { status, body } = await predict(serve, "swapped");
        expect(status).toBe(200);
        answers.push(Number(JSON.stringify(body).match(/\d+/)?.[0]) - 4);
      }
    };
    const clients = [client(), client(), client()];
    for (const version of [1, 2, 3]) {
      await serve.publish(denseModel([version * 10, 0]), "swapped", "prod");
      await expect.poll(() => answers.at(-1), patient).toBe(version * 10);
    }
    swapped.abort();
    await Promise.all(clients);
    expect([...new Set(answers)].toSorted((a, b) => a - b)).toEqual([...new Set(answers)]);
  });

  it("prefers the alias prod to the newest version, and follows it back", async () => {
    await serve.publish(denseModel([1, 1]), "pinned", "prod");
    await serve.publish(denseModel([2, 2]), "pinned");
    expect((await predict(serve, "pinned")).body).toEqual(answerWith([1, 1]));
    await serve.store.setAlias("pinned", "prod", 2, { actor: "test" });
    await expect.poll(async () => (await predict(serve, "pinned")).body, patient).toEqual(answerWith([2, 2]));
    await serve.store.setAlias("pinned", "prod", 1, { actor: "test" });
    await expect.poll(async () => (await predict(serve, "pinned")).body, patient).toEqual(answerWith([1, 1]));
  });

  it("keeps serving the old version when the new one is damaged", async () => {
    await serve.publish(denseModel([7, 7]), "kept", "prod");
    expect((await predict(serve, "kept")).body).toEqual(answerWith([7, 7]));
    const record = await serve.publish(denseModel([8, 8]), "kept");
    const { files } = await serve.store.manifest(record.digest);
    await rm(join(serve.store.location, "blobs", "sha256", files[0]?.digest.slice(7) ?? ""));
    await serve.store.setAlias("kept", "prod", 2, { actor: "test" });
    await expect
      .poll(() => serve.get("/v1/models/kept"), patient)
      .toMatchObject({ body: { model_version_status: [{ state: "AVAILABLE" }, { version: "2", state: "END" }] } });
    expect((await predict(serve, "kept")).body).toEqual(answerWith([7, 7]));
    expect(await serve.post("/v1/models/kept/versions/2:predict", { instances })).toMatchObject({
      status: 500,
      body: { error: expect.stringContaining("model.onnx is damaged") },
    });
  });
});

describe("a deleted version", () => {
  it("is unloaded; its model is answered by the newest that is left, or not found", async () => {
    const other = await startServeForTest({ models: ["kept"] });
    for (const bias of [1, 2] as const) await other.publish(denseModel([bias, bias]), "kept");
    await other.publish(denseModel(), "gone");
    expect((await predict(other, "gone/versions/1")).status).toBe(200);
    expect((await predict(other, "kept/versions/1")).status).toBe(200);
    await expect.poll(async () => (await predict(other, "kept")).body, patient).toEqual(answerWith([2, 2]));
    await other.store.deleteVersion("kept", 2, { actor: "test" });
    await other.store.deleteVersion("gone", 1, { actor: "test" });
    await expect.poll(async () => (await predict(other, "kept")).body, patient).toEqual(answerWith([1, 1]));
    await expect.poll(async () => (await predict(other, "gone/versions/1")).status, patient).toBe(404);
    await other.store.deleteVersion("kept", 1, { actor: "test" });
    await expect
      .poll(() => other.get("/readyz"), patient)
      .toMatchObject({ status: 503, body: { missing: [expect.stringContaining("all its versions were deleted")] } });
    expect((await predict(other, "kept")).status).toBe(404);
  });
});

describe("managing what is served", () => {
  it("unloads what was not used for longest beyond the limit, and loads it again when asked", async () => {
    for (const name of ["one", "two", "three"]) await serve.publish(denseModel(), name);
    for (const name of ["one", "two", "three"]) expect(await predict(serve, name)).toMatchObject({ status: 200 });
    const ready = async () => (await serve.post("/v2/repository/index", { ready: true })).body;
    await expect.poll(ready, patient).toEqual([
      { name: "configured", version: "1", state: "READY", reason: "" },
      { name: "three", version: "1", state: "READY", reason: "" },
      { name: "two", version: "1", state: "READY", reason: "" },
    ]);
    expect(await predict(serve, "one")).toMatchObject({ status: 200 });
  });

  it("loads and unloads by request", async () => {
    await serve.publish(denseModel([5, 5]), "managed");
    expect(await serve.post("/v2/repository/models/managed/load")).toMatchObject({ status: 200 });
    expect(await serve.get("/v2/models/managed/ready")).toMatchObject({ status: 200 });
    expect(await serve.post("/v2/repository/models/managed/unload")).toMatchObject({ status: 200 });
    expect(await predict(serve, "managed")).toMatchObject({ status: 404 });
    expect(await serve.get("/v2/models/managed/ready")).toMatchObject({ status: 400 });
    expect((await serve.post("/v2/repository/index")).body).toContainEqual({
      name: "managed",
      version: "1",
      state: "UNAVAILABLE",
      reason: "not loaded",
    });
    expect(await serve.post("/v2/repository/models/managed/unload")).toMatchObject({ status: 404 });
    expect(await serve.post("/v2/repository/models/nothing/load")).toMatchObject({ status: 404 });
    await serve.post("/v2/repository/models/managed/load");
    expect((await predict(serve, "managed")).body).toEqual(answerWith([5, 5]));
  });

  it("reports requests, batches and loaded models to Prometheus, and no model that isn't there", async () => {
    await predict(serve, "configured");
    await predict(serve, "invented");
    const { body } = await serve.get("/metrics");
    const text = body instanceof Uint8Array ? new TextDecoder().decode(body) : "";
    expect(text).toMatch(/whittle_serve_requests_total{protocol="tensorflow",model="configured",status="200"} \d/);
    expect(text).toMatch(/whittle_serve_batch_samples_count{model="configured"} \d/);
    expect(text).toContain('whittle_serve_loaded_models{model="configured",version="1"} 1');
    expect(text).toContain("whittle_serve_threads_ready 1");
    expect(text).not.toContain("invented");
  });

  it("sends the headers of helmet and hides what it is built with", async () => {
    const { headers } = await serve.get("/healthz");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.has("x-powered-by")).toBe(false);
  });
});

describe("a serving app that loads nothing on demand", () => {
  it("serves what it is configured for and nothing else", async () => {
    const other = await startServeForTest({ onDemand: false, models: ["a@beta"] });
    await other.publish(denseModel(), "a", "beta");
    await other.publish(denseModel([1, 1]), "a");
    await other.publish(denseModel(), "b");
    await expect.poll(() => other.get("/readyz"), patient).toMatchObject({ status: 200 });
    expect((await other.post("/v1/models/a/labels/beta:predict", { instances })).body).toEqual(answerWith([0, 0]));
    expect((await other.post("/v1/models/a/versions/1:predict", { instances })).body).toEqual(answerWith([0, 0]));
    expect(await other.post("/v2/models/b/infer", {})).toMatchObject({
      status: 404,
      body: { error: "b is not loaded; loaded: a@1" },
    });
    expect(await other.post("/v1/models/a/versions/2:predict", { instances })).toMatchObject({ status: 404 });
  });
});

describe("a serving app whose thread crashes", () => {
  it("answers 5xx and is not ready until the thread is replaced", async () => {
    const workers: Worker[] = [];
    const spawn = () => {
      const worker = spawnThread(1);
      workers.push(worker);
      return worker;
    };
    const other = await startServeForTest({ models: ["m"] }, { spawn });
    await other.publish(denseModel(), "m");
    await expect.poll(() => other.get("/readyz"), patient).toMatchObject({ status: 200 });
    await workers[0]?.terminate();
    expect(await other.get("/readyz")).toMatchObject({ status: 503 });
    expect(await other.get("/v2/models/m/ready")).toMatchObject({ status: 400, body: { ready: false } });
    const refused = await predict(other, "m");
    expect(refused.status).toBe(503);
    expect(refused.headers.get("retry-after")).toBe("1");
    await expect.poll(() => other.get("/readyz"), patient).toMatchObject({ status: 200 });
    expect((await predict(other, "m")).body).toEqual(answerWith([0, 0]));
  });
});

describe("a serving app that gets more than it can answer", () => {
  /** Loads every model as one of three numbers, and never answers. */
  const spawn = () =>
    new Worker(
      `const { parentPort } = require("node:worker_threads");
       const specs = { inputs: [{ name: "x", datatype: "FP32", shape: [-1, 3] }], outputs: [] };
       parentPort.on("message", ({ id, type }) => {
         if (type !== "run") parentPort.postMessage({ id, result: { type: "loaded", specs } });
       });`,
      { eval: true },
    );

  it.each(["/v1/models/m:predict", "/v2/models/m/infer"])("refuses at %s before it reads the tensors", async (path) => {
    const other = await startServeForTest({ maxQueue: 1, maxBatch: 1, drainMs: 0, models: ["m"] }, { spawn });
    await other.publish(denseModel(), "m");
    await expect.poll(() => other.get("/readyz"), patient).toMatchObject({ status: 200 });
    expect(await other.post(path, "no JSON")).toMatchObject({ status: 400 });
    // One at work and one that waits; they are cut off when the server ends.
    const unanswered = [predict(other, "m"), predict(other, "m")].map((answer) => answer.catch(() => {}));
    await expect
      .poll(() => other.post(path, "no JSON"), patient)
      .toMatchObject({
        status: 503,
        body: { error: "1 requests are waiting already: try again later" },
      });
    expect((await other.post(path, "no JSON")).headers.get("retry-after")).toBe("1");
    void Promise.all(unanswered);
  });
});

describe("starting and stopping", () => {
  it("keeps idle connections for longer than proxies do, but closes each when it ends, once its request is answered", async () => {
    const other = await startServe({ drainMs: 120_000 });
    const agent = new Agent({ keepAlive: true });
    const headers = { Expect: "100-continue", "Content-Length": 2 };
    const sending = request(`${other.url}/v2/models/m/infer`, { method: "POST", agent, headers });
    sending.flushHeaders();
    await once(sending, "continue");
    const removed = other.remove();
    const answered = once(sending, "response");
    sending.end("{}");
    const [response] = await answered;
    expect(response.headers["keep-alive"]).toBe("timeout=75");
    response.resume();
    // Where it waited for the connection, this test would run out of time.
    await removed;
  });

  it("answers what is in flight before it ends", async () => {
    const other = await startServe();
    await other.publish(denseModel(), "m");
    await predict(other, "m");
    const answers = Array.from({ length: 20 }, () => predict(other, "m"));
    await answers[0];
    const closed = other.close();
    const settled = await Promise.allSettled(answers);
    // A connection that wasn't accepted yet is refused; what was accepted is answered.
    const statuses = settled.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value.status] : []));
    expect(new Set(statuses)).toEqual(new Set([200]));
    await closed;
    await expect(other.get("/healthz")).rejects.toThrow("fetch failed");
    await other.remove();
  });

  it("refuses a wrong configuration, naming the field", async () => {
    await expect(startServe({ models: ["../x"] })).rejects.toMatchObject({
      code: "invalid_request",
      issues: [{ path: "models.0", message: "must be name, name@alias or name@version" }],
    });
  });

  it("says when the port is taken", async () => {
    const other = await startServeForTest();
    const port = Number(new URL(other.url).port);
    await expect(startServe({ port })).rejects.toMatchObject({ code: "unavailable" });
  });
});
