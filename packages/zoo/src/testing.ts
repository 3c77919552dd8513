/** What every model family and every data set of the zoo must hold to. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Signature } from "@whittle/contracts";
import {
  fit,
  initEngine,
  loadModel,
  modelWeights,
  nativeBinding,
  predict,
  saveModel,
  saveSavedModel,
  tf,
} from "@whittle/engine";
import { beforeAll, describe, expect, it } from "vitest";
import { datasets, families, familyName, type DatasetName, type FamilyName } from "./catalog.ts";
import type { Dataset } from "./dataset.ts";
import { patterns } from "./fixtures/patterns.ts";
import { buildModel, findDataset, loadDataset, toFloat } from "./index.ts";

const classes = 4;

/** Tests a family by its examples: on the backend of this machine, compiled and not. */
export function testModelFamily(name: FamilyName): void {
  describe.each(families[name].examples)(`model family ${name} with $params`, ({ params, ...example }) => {
    beforeAll(() => initEngine());

    const shape = { ...example, classes, seed: 3 };
    const build = (seed = shape.seed) => buildModel(name, params, { ...shape, seed });

    it("takes its parameters, completed by the defaults, again", () => {
      const complete = families[name].params.parse(params);
      expect(families[name].params.parse(JSON.parse(JSON.stringify(complete)))).toEqual(complete);
      const again = buildModel(name, complete, shape);
      expect(weightsDigest(again)).toBe(weightsDigest(build()));
    });

    it("has the same first weights for the same seed, and others for another", () => {
      expect(weightsDigest(build())).toBe(weightsDigest(build()));
      expect(weightsDigest(build(4))).not.toBe(weightsDigest(build()));
      expect(weightsDigest(build(0))).toBe(weightsDigest(build(0)));
    });

    it("gives the same files for the same seed", async () => {
      const [files, again] = [await saveModel(build()), await saveModel(build())];
      expect([digest(again.topology), digest(again.weights)]).toEqual([digest(files.topology), digest(files.weights)]);
    });

    it("gives finite logits [batch, classes] that are not probabilities", () => {
      const logits = predict(build(), patterns(shape, classes, 5).x);
      expect(logits.shape).toEqual([5, classes]);
      const values = [...logits.dataSync()];
      expect(values.every((value) => Number.isFinite(value))).toBe(true);
      expect(Math.min(...values)).toBeLessThan(0);
    });

    it("learns in 20 compiled steps, to the weights of 20 steps op by op and of another run", async () => {
      const samples = patterns(shape, classes, 64);
      const train = async (mode: "graph" | "eager") => {
        const model = build();
        const optimizer = { type: "momentum", learningRate: 0.02 } as const;
        const { epochs } = await fit(model, { ...samples, optimizer, epochs: 5, batchSize: 16, seed: 1, mode });
        return { model, losses: epochs.map(({ loss }) => loss) };
      };
      const [compiled, again, eager] = [await train("graph"), await train("graph"), await train("eager")];
      expect(compiled.losses.at(-1)).toBeLessThan(compiled.losses[0] ?? 0);
      expect(weightsDigest(again.model)).toBe(weightsDigest(compiled.model));
      expect(weightsDistance(compiled.model, eager.model)).toBeLessThan(1e-3);
    });

    it("predicts the same when saved and loaded", async () => {
      const model = build();
      setWeights(model);
      const loaded = await loadModel(await saveModel(model));
      const { x } = patterns(shape, classes, 5);
      expect([...predict(loaded, x).dataSync()]).toEqual([...predict(model, x).dataSync()]);
    });

    it("answers the same as a SavedModel, for any number of samples", async ({ skip }) => {
      skip(nativeBinding() === undefined, "needs TensorFlow");
      const model = build();
      setWeights(model);
      const folder = await mkdtemp(join(tmpdir(), "whittle-saved-"));
      await writeFile(join(folder, "saved_model.pb"), saveSavedModel(model, signatureOf(shape)));
      const loaded = await (await import("@tensorflow/tfjs-node-gpu")).node.loadSavedModel(folder);
      for (const samples of [1, 3, 32]) {
        const { x } = patterns(shape, classes, samples);
        const [expected, given] = [predict(model, x), loaded.predict(x)];
        if (!(given instanceof tf.Tensor)) throw new Error("it has other outputs than logits");
        expect(given.shape).toEqual([samples, classes]);
        expect(distance(given, expected)).toBeLessThan(1e-5);
      }
      loaded.dispose();
      await rm(folder, { recursive: true });
    });

    it("names its parameters' mistakes", () => {
      const problem = { code: "invalid_request", message: expect.stringContaining("unknown") };
      const wrong = { ...params, unknown: 1 };
      expect(() => buildModel(name, wrong, shape)).toThrow(expect.objectContaining(problem));
    });
  });
}

/** Numbers that no weight begins with, the same in every process. */
function setWeights(model: tf.LayersModel): void {
  model.setWeights(model.getWeights().map((weight, at) => tf.randomUniform(weight.shape, 0.1, 1, "float32", at + 1)));
}

function signatureOf({ inputShape }: { inputShape: number[] }): Signature {
  return {
    inputs: [{ name: "input", datatype: "FP32", shape: [-1, ...inputShape] }],
    outputs: [{ name: "logits", datatype: "FP32", shape: [-1, classes] }],
  };
}

/** The largest difference of two tensors, relative to the largest number of the second. */
function distance(tensor: tf.Tensor, other: tf.Tensor): number {
  return tf.tidy(
    () => tf.div(tf.max(tf.abs(tf.sub(tensor, other))), tf.max(tf.abs(other))).dataSync()[0] ?? Number.NaN,
  );
}

/** The largest difference of two models' weights, relative to the largest number of each weight. */
function weightsDistance(model: tf.LayersModel, other: tf.LayersModel): number {
  const others = modelWeights(other);
  const distances = Object.entries(modelWeights(model)).map(([name, { data }]) => {
    const largest = data.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-3);
    const difference = (value: number, at: number) => Math.abs(value - (others[name]?.data[at] ?? Number.NaN));
    return Math.max(...data.map(difference)) / largest;
  });
  return Math.max(...distances);
}

/** Trains the examples of every family on WebAssembly, in a process of its own: a process has one backend for life. */
export function testFamiliesOnWasm(): void {
  it("every model family learns on WebAssembly", { timeout: 300_000 }, async () => {
    const program = fileURLToPath(new URL("fixtures/train-examples.ts", import.meta.url));
    const env = { ...process.env, WHITTLE_BACKEND: "wasm" };
    const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", program], { env });
    const { backend, runs }: { backend: string; runs: { family: string; losses: number[] }[] } = JSON.parse(stdout);
    expect(backend).toBe("wasm");
    expect([...new Set(runs.map(({ family }) => family))]).toEqual(familyName.options);
    for (const run of runs) expect(run.losses.at(-1), JSON.stringify(run)).toBeLessThan(run.losses[0] ?? 0);
  });
}

/**
 * Loads an example of every family in a process that has tfjs as it is published and nothing of the zoo.
 * @param ownLayers families with layers that tfjs does not have and that must be registered: the first of each.
 */
export function testFamiliesInTfjs(ownLayers: Partial<Record<FamilyName, string>>): void {
  it("stock tfjs loads the files of every family unchanged and answers the same", { timeout: 300_000 }, async () => {
    await initEngine();
    const cases = await Promise.all(familyName.options.map(exampleOf));
    const program = fileURLToPath(new URL("fixtures/answer-in-tfjs.ts", import.meta.url));
    const running = promisify(execFile)(process.execPath, ["--import", "tsx", program]);
    running.child.stdin?.end(JSON.stringify(cases.map(({ files }) => files)));
    const answers: { logits?: number[]; error?: string }[] = JSON.parse((await running).stdout);
    const outcomes = cases.map(({ name, expected }, at) => {
      const { logits = [], error } = answers[at] ?? {};
      return [name, error ?? (distance(tf.tensor(logits), expected) < 1e-5 ? "the same" : "another answer")];
    });
    const refused = Object.entries(ownLayers).map(([name, layer]) => [
      name,
      expect.stringContaining(`Unknown layer: ${layer}`),
    ]);
    expect(Object.fromEntries(outcomes)).toEqual({
      ...Object.fromEntries(familyName.options.map((name) => [name, "the same"])),
      ...Object.fromEntries(refused),
    });
  });
}

/** The files of a family's first example with some samples, and what it answers. */
async function exampleOf(name: FamilyName) {
  const [example] = families[name].examples;
  if (!example) throw new Error(`${name} has no example`);
  const model = buildModel(name, example.params, { ...example, classes, seed: 3 });
  setWeights(model);
  const { topology, weights } = await saveModel(model);
  const { x } = patterns(example, classes, 3);
  const files = {
    topology: new TextDecoder().decode(topology),
    weights: Buffer.from(weights).toString("base64"),
    shape: x.shape,
    x: [...x.dataSync()],
  };
  return { name, files, expected: predict(model, x).flatten() };
}

function digest(...parts: Uint8Array[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}

function weightsDigest(model: tf.LayersModel): string {
  return digest(...Object.values(modelWeights(model)).map(({ data }) => new Uint8Array(data.buffer)));
}

/**
 * Tests a data set where this machine has it.
 * @param content what its content must hash to.
 * @param spread by how much, relative to their mean, the numbers of samples of the classes may differ from it.
 */
export async function testDataset(name: DatasetName, content: string, spread = 0): Promise<void> {
  const contract = datasets[name];
  const isHere = (await findDataset(name)) !== undefined;
  if (!isHere)
    console.warn(`NOT TESTED: this machine does not have the data set ${name}: npm run setup -- --dataset ${name}`);
  describe.skipIf(!isHere)(`data set ${name}`, () => {
    let data: Dataset;
    beforeAll(async () => {
      data = await loadDataset(name);
    }, 300_000);
    const parts = ["train", "test"] as const;

    it("has the content that it always had", () => {
      expect(data.digest).toBe(content);
    });

    it("has as many samples, values and labels as the contract says", () => {
      const size = contract.inputShape.reduce((product, length) => product * length, 1);
      for (const part of parts) {
        const { x, y, count } = data[part];
        expect(count).toBe(contract.samples[part]);
        expect([x.length, y.length]).toEqual([count * size, count]);
      }
    });

    it("uses the range that its preprocessing is made for", () => {
      const floats = toFloat(data.test, data.preprocessing);
      const least = floats.reduce((soFar, value) => Math.min(soFar, value), Infinity);
      const most = floats.reduce((soFar, value) => Math.max(soFar, value), -Infinity);
      const tokens = new Set(contract.vocabulary).size;
      const range = contract.vocabulary ? [0, tokens - 1] : [-1, 1];
      expect([least, most].every((bound) => bound >= (range[0] ?? 0) && bound <= (range[1] ?? 0))).toBe(true);
      expect(tokens).toBe(contract.vocabulary?.length ?? 0);
      expect(most).toBeGreaterThan(least);
    });

    it.each(parts)("has every class equally often in %s", (part) => {
      const counts = contract.labels.map((_, label) => data[part].y.filter((y) => y === label).length);
      const even = data[part].count / counts.length;
      for (const count of counts) expect(Math.abs(count - even)).toBeLessThanOrEqual(spread * even);
    });
  });
}
