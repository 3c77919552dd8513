import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { importOnnx } from "../import/import.ts";
import { modelFile, samples } from "../import/testing.ts";
import { createSession, type Session } from "../runtime/session.ts";
import { explain, type Classifier, type ExplainOptions } from "./explain.ts";
import { bruteForce } from "./testing.ts";

const { image } = bruteForce(await readFile(new URL("./fixtures/brute-force.json", import.meta.url), "utf8"));
const raw = { scale: 1, offset: 0 };
const defaults: ExplainOptions = { output: "logit", evaluations: 2000, seed: 0 };

/** Two classes, whose logits are a sum over the places: `weights` times the values, and its negative. Counts what it is asked. */
function linear(shape: number[], weights: number[], config: Classifier["config"] = { preprocessing: raw }) {
  const calls: number[] = [];
  const classifier: Classifier = {
    shape,
    config,
    batch: 4,
    predict: (x, count) => {
      calls.push(count);
      const size = x.length / count;
      const logit = (row: number) => weights.reduce((sum, weight, at) => sum + weight * (x[row * size + at] ?? 0), 0);
      return Promise.resolve(Float32Array.from({ length: 2 * count }, (_, at) => (1 - 2 * (at % 2)) * logit(at >> 1)));
    },
  };
  return { classifier, calls };
}

const close = (values: number[]) => values.map((value): unknown => expect.closeTo(value, 10));

describe("explaining a linear model", () => {
  it("gives each column its weight times its distance from the baseline, of whichever class", async () => {
    const config = { preprocessing: raw, labels: ["up", "down"] };
    const { classifier, calls } = linear([3], [1, -2, 4], config);
    const sample = Float32Array.of(5, 3, 2);
    expect(await explain(classifier, sample, defaults)).toEqual({
      class: 0,
      label: "up",
      value: 7,
      baselineValue: 0,
      baseline: "a raw value of 0",
      parts: { kind: "columns", grid: [3], size: 1 },
      method: "exact",
      values: [5, -6, 8],
      evaluations: 8,
    });
    expect(calls).toEqual([4, 4]);
    const down = { ...defaults, class: "down", baseline: Float32Array.of(1, 1, 1) };
    expect(await explain(classifier, sample, down)).toMatchObject({ class: 1, values: [-4, 4, -4], baselineValue: -3 });
    const one = await explain(classifier, sample, { ...defaults, class: 1, baseline: Float32Array.of(2) });
    expect(one).toMatchObject({ values: [-3, 2, 0], evaluations: 4, baseline: "2 in every place, as given" });
  });

  it("adds up the places of a patch with all their channels, also at the edges", async () => {
    const weights = Array.from({ length: 3 * 5 * 2 }, (_, at) => at);
    const { classifier } = linear([3, 5, 2], weights);
    const { parts, values } = await explain(classifier, new Float32Array(30).fill(1), { ...defaults, patch: 2 });
    expect(parts).toEqual({ kind: "patches", grid: [2, 3], size: 2 });
    // Two channels of a pixel: 4 p + 1, p = 5 row + column.
    expect(values).toEqual(close([4 * 12 + 4, 4 * 20 + 4, 4 * 13 + 2, 4 * 21 + 2, 4 * 25 + 2, 4 * 14 + 1]));
  });

  it("leaves out what is the baseline's already, which is 0 and costs nothing", async () => {
    const { classifier, calls } = linear(
      [64],
      Array.from({ length: 64 }, (_, at) => at),
    );
    const sample = new Float32Array(64);
    sample.set([1, 1, 1], 7);
    const { values, evaluations, method } = await explain(classifier, sample, defaults);
    expect({ method, evaluations }).toEqual({ method: "exact", evaluations: 8 });
    expect(values).toEqual(close(Array.from({ length: 64 }, (_, at) => (at >= 7 && at < 10 ? at : 0))));
    calls.length = 0;
    expect(await explain(classifier, new Float32Array(64), defaults)).toMatchObject({ value: 0, evaluations: 1 });
    expect(calls).toEqual([1]);
  });
});

describe("a model whose answers depend on the other samples of a call", () => {
  it("is asked for one at a time", async () => {
    const compression = { quantization: { bits: 8, granularity: "channel", scheme: "symmetric", method: "dynamic" } };
    const { classifier, calls } = linear([2], [1, 2], { preprocessing: raw, compression });
    await explain(classifier, Float32Array.of(1, 1), defaults);
    expect(calls).toEqual([1, 1, 1, 1]);
  });
});

describe("the baseline by default", () => {
  it("is a raw value of 0, as the model sees it", async () => {
    const { classifier } = linear([2], [1, 1], { preprocessing: { scale: 0.5, offset: -1 } });
    const found = await explain(classifier, Float32Array.of(1, 2), defaults);
    expect(found).toMatchObject({ values: [2, 3], baseline: "a raw value of 0, which the model sees as -1" });
  });

  it.each([
    [["a", "b", "<pad>"], [-1, -2], 'token 2 ("<pad>")'],
    [[" ", "paddle", "c"], [1, 0], 'token 0 (" ")'],
  ])("is the padding of the vocabulary %j, or else its first token", async (vocabulary, values, baseline) => {
    const { classifier } = linear([2], [1, 1], { preprocessing: raw, vocabulary });
    const found = await explain(classifier, Float32Array.of(1, 0), { ...defaults, class: 0 });
    expect(found).toMatchObject({ values, baseline, parts: { kind: "tokens", grid: [2] } });
  });
});

describe("explaining an imported CNN", () => {
  let session: Session;
  let classifier: Classifier;
  beforeAll(async () => {
    const { model } = await importOnnx(await modelFile("cnn"), { sample: [8, 8, 1], samples });
    session = await createSession(model);
    const predict: Classifier["predict"] = async (data, count) => {
      const { logits } = await session.run({ input: { datatype: "FP32", shape: [count, 8, 8, 1], data } });
      return Float32Array.from(logits?.data ?? [], Number);
    };
    classifier = { shape: [8, 8, 1], config: { preprocessing: raw }, batch: 32, predict };
  });
  afterAll(() => session.release());

  const [coarse, fine] = image.explanations;
  const sample = samples.subarray(0, 64);

  it("gives what NumPy found by going through every order", async () => {
    const found = await explain(classifier, sample, { ...defaults, output: "probability", patch: 3 });
    expect(found).toMatchObject({ class: image.class, method: "exact", evaluations: 512 });
    expect(found.value).toBeCloseTo(coarse?.value ?? 0, 5);
    expect(found.baselineValue).toBeCloseTo(coarse?.baseline ?? 0, 5);
    coarse?.values.forEach((value, part) => expect(found.values[part]).toBeCloseTo(value, 5));
  });

  it("estimates what NumPy found by going through every subset, as near as its standard errors say", async () => {
    const found = await explain(classifier, sample, { ...defaults, output: "probability", patch: 2 });
    expect(found).toMatchObject({ method: "permutations", permutations: 132, evaluations: 1982 });
    const inErrors = fine?.values.map(
      (value, part) => ((found.values[part] ?? 0) - value) / (found.standardErrors?.[part] ?? 0),
    );
    expect(Math.max(...(inErrors ?? []).map(Math.abs))).toBeLessThan(4);
    expect(Math.max(...(found.standardErrors ?? []))).toBeLessThan(0.03);
    expect(found.values.reduce((sum, value) => sum + value, 0)).toBeCloseTo(found.value - found.baselineValue, 10);
  });
});

describe("explaining refuses, naming it,", () => {
  const { classifier } = linear([3], [1, 2, 3], { preprocessing: raw, labels: ["up", "down"] });
  const sample = Float32Array.of(1, 2, 3);

  it.each([
    ["a class that there is not", { class: 2 }, "class must be 0 to 1 or one of up, down, not 2"],
    ["a label that there is not", { class: "left" }, 'class must be 0 to 1 or one of up, down, not "left"'],
    [
      "a baseline of another size",
      { baseline: Float32Array.of(1, 2) },
      "one number or the 3 values of a sample, not 2",
    ],
    ["no class at all", { class: "" }, 'class must be 0 to 1 or one of up, down, not ""'],
    ["too few evaluations", { evaluations: 7 }, "evaluations must be at least 8 for 3 parts, not 7"],
  ])("%s", async (_what, options, message) => {
    await expect(explain(classifier, sample, { ...defaults, ...options })).rejects.toMatchObject({
      code: "invalid_request",
      message: expect.stringContaining(message),
      issues: [{ path: Object.keys(options)[0] }],
    });
  });

  it("a class that there is not before the model has run on all the samples", async () => {
    const { classifier: counted, calls } = linear([3], [1, 2, 3]);
    await expect(explain(counted, sample, { ...defaults, class: 2 })).rejects.toThrow("class must be 0 to 1");
    expect(calls).toEqual([4]);
  });

  it("a baseline of what are no tokens", async () => {
    const config = { preprocessing: raw, vocabulary: ["a", "b"] };
    const { classifier: text } = linear([3], [1, 2, 3], config);
    const tokens = Float32Array.of(1, 1, 0);
    for (const wrong of [[0.5], [2], [0, -1, 0]]) {
      const asked = explain(text, tokens, { ...defaults, baseline: Float32Array.from(wrong) });
      await expect(asked).rejects.toThrow("baseline must be tokens, whole numbers from 0 to 1");
    }
    const fits = await explain(text, tokens, { ...defaults, class: 0, baseline: Float32Array.of(1) });
    expect(fits.values).toEqual([0, 0, -3]);
  });

  it("the probability of a model with one score, which is always 1", async () => {
    const one: Classifier = { ...classifier, predict: (_x, count) => Promise.resolve(new Float32Array(count)) };
    const asked = explain(one, sample, { ...defaults, output: "probability" });
    await expect(asked).rejects.toMatchObject({ code: "invalid_request", issues: [{ path: "output" }] });
  });

  it("what is not a number", async () => {
    const wrong = explain(classifier, Float32Array.of(1, Number.NaN, 3), defaults);
    await expect(wrong).rejects.toThrow("the model answers NaN or Infinity to the input itself");
    const none = { ...defaults, baseline: Float32Array.of(Number.NaN) };
    await expect(explain(classifier, sample, none)).rejects.toThrow("Infinity where parts of the input are left out");
    for (const shape of [
      [1, 1, 1, 3],
      [0, 3],
    ])
      await expect(explain({ ...classifier, shape }, sample, defaults)).rejects.toMatchObject({ code: "unsupported" });
  });
});
