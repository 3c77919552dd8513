import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { denseModel, twoInputModel, wideModel } from "../../testing/models.ts";
import { startServe, startServeForTest, type TestServe } from "../../testing/server.ts";

const COLUMNS = 64;

let serve: TestServe;
beforeAll(async () => {
  serve = await startServe({ maxBatch: 1 });
  await serve.publish(denseModel(), "dense");
  await serve.publish(denseModel([100, 0]), "dense", "beta");
  await serve.publish(twoInputModel(), "two");
  await serve.publish(wideModel(COLUMNS), "wide");
});
afterAll(() => serve.remove());

const x = { name: "x", shape: [1, 3], datatype: "FP32", data: [1, 2, 3] };
const explain = (model: string, parameters: unknown, input: unknown = x) =>
  serve.post(`/v2/models/${model}/explain`, { inputs: [input], parameters });

const wide = { name: "x", shape: [1, COLUMNS], datatype: "FP32", data: Array.from({ length: COLUMNS }, () => 1) };
/** Takes a second or so: it calls the model 20,000 times. */
const long = JSON.stringify({ inputs: [wide], parameters: { evaluations: 20_000 } });
const patient = { timeout: 20_000, interval: 5 };

/** How often the model was called. */
const calls = async () => {
  const text = await (await fetch(`${serve.url}/metrics`)).text();
  return Number(/^whittle_serve_batch_samples_count\{model="wide"\} (\d+)$/m.exec(text)?.[1] ?? 0);
};

describe("an explanation", () => {
  it("shares the logit out among the columns", async () => {
    const { status, body } = await explain("dense/versions/1", { output: "logit" });
    expect(status).toBe(200);
    // The logits are x0 + x2 and x1 + x2; the baseline, a raw 0, is -1 to the model.
    expect(body).toEqual({
      model_name: "dense",
      model_version: "1",
      class: 1,
      label: "right",
      output: "logit",
      value: 5,
      baseline_value: -2,
      baseline: "a raw value of 0, which the model sees as -1",
      parts: { kind: "columns", grid: [3], size: 1 },
      values: [0, expect.closeTo(3, 12), expect.closeTo(4, 12)],
      method: "exact",
      evaluations: 8,
    });
  });

  it("is by default about the probability that the served model gives its answer", async () => {
    const { body } = await explain("dense@1", undefined);
    const sigmoid = (logit: number) => 1 / (1 + Math.exp(-logit));
    expect(body).toMatchObject({ output: "probability", class: 1, value: expect.closeTo(sigmoid(1), 6) });
    // Of the two columns that tell the classes apart, the softmax is a sigmoid of their difference.
    const none = 0.5;
    const values = [
      (sigmoid(-2) - none + sigmoid(1) - sigmoid(3)) / 2,
      (sigmoid(3) - none + sigmoid(1) - sigmoid(-2)) / 2,
      0,
    ];
    expect(body).toMatchObject({
      baseline_value: none,
      values: values.map((each): unknown => expect.closeTo(each, 6)),
    });
  });

  it("is of the version that an alias means, of the class and with the baseline that are asked for", async () => {
    const beta = await explain("dense@beta", { class: "left", output: "logit", baseline: [[1, 1, 1]] });
    expect(beta).toMatchObject({
      status: 200,
      body: {
        model_version: "2",
        class: 0,
        value: 104,
        baseline: "the sample given as the baseline",
        values: [0, 0, 2],
      },
    });
    const one = await explain("dense@beta", { class: 0, output: "logit", baseline: 2 });
    expect(one).toMatchObject({ body: { baseline: "2 in every place, as given", values: [-1, 0, 1] } });
  });

  it("is an estimate with its error where there are many parts, and the same for a seed", async () => {
    const ask = (seed: number) => explain("wide", { output: "logit", patch: 2, evaluations: 400, seed }, wide);
    const { body } = await ask(7);
    expect(body).toMatchObject({ method: "permutations", permutations: 12, seed: 7, evaluations: 12 * 31 + 2 });
    // In a linear model each order gives the same, and the baseline's -1 is 2 away.
    const values = Array.from({ length: 32 }, (_, part) => expect.closeTo(2 * (4 * part + 3), 3));
    const errors = Array.from({ length: 32 }, () => expect.closeTo(0, 3));
    expect(body).toMatchObject({ values, standard_errors: errors });
    expect((await ask(7)).body).toEqual(body);
  });

  it("takes a sample as raw bytes, and as the binary data of the protocol", async () => {
    const bytes = new Uint8Array(Float32Array.of(1, 2, 3).buffer);
    const raw = await serve.post("/v2/models/dense@1/explain", bytes, { "Inference-Header-Content-Length": "0" });
    expect(raw.body).toEqual((await explain("dense@1", {})).body);
  });

  it.each([
    ["dense", { colour: 1 }, 400, "parameters.colour: is not known; known are class, output, patch"],
    ["dense", { patch: 0 }, 400, "parameters.patch: must be at least 1, not 0"],
    ["dense", { evaluations: 20_001 }, 400, "parameters.evaluations: must be at most 20000, not 20001"],
    ["dense", { evaluations: 7 }, 400, "evaluations must be at least 8 for 3 parts, not 7"],
    ["dense", { output: "loss" }, 400, 'parameters.output: must be "probability" or "logit", not "loss"'],
    ["dense", { class: "up" }, 400, 'class must be 0 to 1 or one of left, right, not "up"'],
    ["dense", { class: "" }, 400, 'class must be 0 to 1 or one of left, right, not ""'],
    ["dense", { class: 2.5 }, 400, "parameters.class: must be the index or the label of a class"],
    ["dense", { baseline: [1, 2] }, 400, "baseline must be one number or the 3 values of a sample, not 2"],
    ["dense", { baseline: "black" }, 400, "parameters.baseline: value 0 is"],
    ["none", {}, 404, 'no model "none"'],
  ])("of %s refuses %j", async (model, parameters, status, message) => {
    const answer = await explain(model, parameters);
    expect(answer).toMatchObject({ status, body: { error: expect.stringContaining(message) } });
  });

  it("is counted apart from predictions, whose times it would spoil", async () => {
    const counts = async () =>
      (await (await fetch(`${serve.url}/metrics`)).text()).match(/^whittle_serve_requests.*dense.*$/gm);
    await explain("dense", {});
    expect(await counts()).toContainEqual(expect.stringMatching(/protocol="explanation",model="dense",status="200"/));
    expect(await counts()).not.toContainEqual(expect.stringContaining("open-inference"));
  });

  it("is of one sample of a model with one input", async () => {
    expect(await explain("dense", {}, { ...x, shape: [2, 3], data: [1, 2, 3, 4, 5, 6] })).toMatchObject({
      status: 400,
      body: { error: 'input "x" holds 2 samples, must hold the one to explain' },
    });
    const zeros = (name: string) => ({ name, shape: [1, 2], datatype: "FP32", data: [0, 0] });
    const two = await serve.post("/v2/models/two/explain", { inputs: [zeros("a"), zeros("b")] });
    expect(two).toMatchObject({ status: 501, body: { error: expect.stringContaining("one FP32 input") } });
  });
});

describe("a long explanation", () => {
  it("holds up no prediction, and no other runs beside it", async () => {
    const before = await calls();
    let isOver = false;
    const explaining = serve.post("/v2/models/wide/explain", long).finally(() => (isOver = true));
    await expect.poll(calls, patient).toBeGreaterThan(before);
    for (let count = 0; count < 20; count++) {
      const { status } = await serve.post("/v2/models/wide/infer", { inputs: [wide] });
      expect({ status, isOver }).toEqual({ status: 200, isOver: false });
    }
    const refused = await explain("dense", {});
    expect(refused).toMatchObject({ status: 503, body: { error: "1 explanations run already: try again later" } });
    expect(refused.headers.get("retry-after")).toBe("1");
    expect(await explaining).toMatchObject({ status: 200, body: { evaluations: 2 + 2 * 158 * 63 } });
    expect((await explain("dense", {})).status).toBe(200);
  });

  it("ends when the caller leaves", async () => {
    const before = await calls();
    const leaving = new AbortController();
    const { signal } = leaving;
    const left = fetch(`${serve.url}/v2/models/wide/explain`, { method: "POST", body: long, signal }).catch(
      () => "left",
    );
    await expect.poll(calls, patient).toBeGreaterThan(before);
    leaving.abort();
    expect(await left).toBe("left");
    await expect.poll(async () => (await explain("dense", {})).status, patient).toBe(200);
    expect((await calls()) - before).toBeLessThan(10_000);
  });
});

describe("a server", () => {
  it("may answer no explanations, or only short ones", async () => {
    const without = await startServeForTest({ maxExplanations: 0 });
    await without.publish(denseModel(), "dense");
    expect(await without.post("/v2/models/dense/explain", { inputs: [x] })).toMatchObject({
      status: 501,
      body: { error: "this server answers no explanations" },
    });
    const short = await startServeForTest({ maxEvaluations: 7 });
    await short.publish(denseModel(), "dense");
    expect(await short.post("/v2/models/dense/explain", { inputs: [x] })).toMatchObject({ status: 400 });
  });

  it("puts fewer samples of a large input into one call", async () => {
    const other = await startServeForTest();
    const columns = 70_000;
    await other.publish(wideModel(columns), "large");
    const input = { ...wide, shape: [1, columns], data: Array.from({ length: columns }, () => 1) };
    const asked = { inputs: [input], parameters: { patch: columns / 7 } };
    expect(await other.post("/v2/models/large/explain", asked)).toMatchObject({
      status: 200,
      body: { evaluations: 128 },
    });
    // 14 of them have fewer than 2^20 values, so the 128 take 10 calls and not 4 of 32.
    const { body } = await other.get("/metrics");
    const metrics = body instanceof Uint8Array ? new TextDecoder().decode(body) : "";
    expect(metrics).toContain('whittle_serve_batch_samples_count{model="large"} 10\n');
  });

  it("asks for the key that predictions need", async () => {
    const locked = await startServeForTest({ keys: [{ key: "k".repeat(20), scope: "read" }] });
    await locked.publish(denseModel(), "dense");
    const ask = (headers: Record<string, string>) => locked.post("/v2/models/dense/explain", { inputs: [x] }, headers);
    expect((await ask({})).status).toBe(401);
    expect((await ask({ authorization: `Bearer ${"k".repeat(20)}` })).status).toBe(200);
  });
});
