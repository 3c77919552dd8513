/** What every model family and every data set of the zoo must hold to. Call these in a test file in the folder of each. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { fit, initEngine, loadModel, modelWeights, predict, saveModel, tf } from "@whittle/engine";
import { beforeAll, describe, expect, it } from "vitest";
import { datasets, families, type DatasetName, type FamilyName } from "./catalog.ts";
import type { Dataset, Split } from "./dataset.ts";
import { buildModel, findDataset, loadDataset, toFloat } from "./index.ts";

/** Tests a family on images of 8 x 8, with its default parameters and with the variants given. */
export function testModelFamily(name: FamilyName, variants: Record<string, unknown>[] = []): void {
  testOnWasm(name, [{}, ...variants]);
  describe.each([{}, ...variants])(`model family ${name} with %j`, (params) => {
    beforeAll(() => initEngine());

    const shape = { inputShape: [8, 8, 1], classes: 4, seed: 3 };
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
      const logits = tf.tidy(() => predict(build(), tf.randomUniform([5, ...shape.inputShape], 0, 1, "float32", 1)));
      expect(logits.shape).toEqual([5, 4]);
      const values = [...logits.dataSync()];
      expect(values.every((value) => Number.isFinite(value))).toBe(true);
      expect(Math.min(...values)).toBeLessThan(0);
    });

    it("learns the tiny patterns, and predicts the same when saved and loaded", async () => {
      const data = await loadDataset("tiny");
      const model = build();
      const { epochs } = await fit(model, { ...tensors(data, data.train), epochs: 3, batchSize: 64, seed: 1 });
      expect(epochs.at(-1)?.loss).toBeLessThan(epochs[0]?.loss ?? 0);
      const { x } = tensors(data, data.test);
      const loaded = await loadModel(await saveModel(model));
      expect([...predict(loaded, x).dataSync()]).toEqual([...predict(model, x).dataSync()]);
    });

    it("comes to the same weights when trained with the same seed", async () => {
      const data = await loadDataset("tiny", { limit: { train: 100 } });
      const samples = tensors(data, data.train);
      const models = [build(), build()];
      for (const model of models) await fit(model, { ...samples, epochs: 2, batchSize: 16, seed: 1 });
      expect(new Set(models.map(weightsDigest)).size).toBe(1);
    });

    it("names its parameters' mistakes", () => {
      const problem = { code: "invalid_request", message: expect.stringContaining("unknown") };
      const wrong = { ...params, unknown: 1 };
      expect(() => buildModel(name, wrong, shape)).toThrow(expect.objectContaining(problem));
    });
  });
}

/** In a process of its own: a process has one backend for life. */
function testOnWasm(name: FamilyName, variants: Record<string, unknown>[]): void {
  it(`model family ${name} learns with every optimizer on WebAssembly`, { timeout: 180_000 }, async () => {
    const program = fileURLToPath(new URL("fixtures/train-family.ts", import.meta.url));
    const env = { ...process.env, WHITTLE_BACKEND: "wasm" };
    const args = ["--import", "tsx", program, name, JSON.stringify(variants)];
    const { stdout } = await promisify(execFile)(process.execPath, args, { env });
    const { backend, runs }: { backend: string; runs: { before: number; after: number }[] } = JSON.parse(stdout);
    expect([backend, runs.length]).toEqual(["wasm", 4 * variants.length]);
    for (const run of runs) expect(run.after, JSON.stringify(run)).toBeLessThan(run.before);
  });
}

function digest(...parts: Uint8Array[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}

function weightsDigest(model: tf.LayersModel): string {
  return digest(...Object.values(modelWeights(model)).map(({ data }) => new Uint8Array(data.buffer)));
}

function tensors(data: Dataset, split: Split): { x: tf.Tensor; y: Int32Array } {
  const x = tf.tensor(toFloat(split, data.preprocessing), [split.count, ...data.inputShape]);
  return { x, y: split.y };
}

/** Tests a data set where this machine has it; `content` is what its content must hash to. */
export async function testDataset(name: DatasetName, content: string): Promise<void> {
  const contract = datasets[name];
  const folder = await findDataset(name);
  describe.skipIf(folder === undefined)(`data set ${name}`, () => {
    let data: Dataset;
    beforeAll(async () => {
      data = await loadDataset(name);
    });
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
      expect([least, most].map(Math.abs).every((bound) => bound <= 1)).toBe(true);
      expect(most).toBeGreaterThan(least);
    });

    it.each(parts)("has every class about equally often in %s", (part) => {
      const counts = contract.labels.map((_, label) => data[part].y.filter((y) => y === label).length);
      const even = data[part].count / counts.length;
      for (const count of counts) expect(Math.abs(count - even)).toBeLessThan(0.25 * even);
    });

    it("gives the first samples when limited, under the same digest", async () => {
      const few = await loadDataset(name, { limit: { train: 10, test: 5 } });
      expect([few.train.count, few.test.count, few.digest]).toEqual([10, 5, content]);
      expect(few.train.x).toEqual(data.train.x.subarray(0, few.train.x.length));
      expect(few.test.y).toEqual(data.test.y.subarray(0, 5));
    });
  });
}
