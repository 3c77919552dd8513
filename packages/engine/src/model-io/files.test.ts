import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { initEngine } from "../runtime/init.ts";
import { tf } from "../tf.ts";
import { loadModel, saveModel } from "./files.ts";
import { assignWeights, modelWeights } from "./weights.ts";

beforeAll(() => initEngine());

function network(): tf.LayersModel {
  const init = tf.initializers.glorotUniform({ seed: 1 });
  return tf.sequential({
    name: "network",
    layers: [
      tf.layers.conv2d({ name: "conv", filters: 2, kernelSize: 2, inputShape: [4, 4, 1], kernelInitializer: init }),
      tf.layers.batchNormalization({ name: "norm" }),
      tf.layers.flatten({ name: "flatten" }),
      tf.layers.dense({ name: "logits", units: 3, kernelInitializer: init }),
    ],
  });
}

function output(model: tf.LayersModel): number[] {
  return tf.tidy(() => {
    const result = model.predict(tf.randomUniform([2, 4, 4, 1], 0, 1, "float32", 3));
    return result instanceof tf.Tensor ? [...result.dataSync()] : [];
  });
}

const text = (value: string) => new TextEncoder().encode(value);
const sha = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

describe("saveModel", () => {
  it("gives a model that loads and predicts bit for bit the same", async () => {
    const model = network();
    const loaded = await loadModel(await saveModel(model));
    expect(output(loaded)).toEqual(output(model));
    expect(modelWeights(loaded)).toEqual(modelWeights(model));
  });

  it("gives the same bytes for the same build, and for what was loaded from them", async () => {
    const files = await saveModel(network());
    const again = await saveModel(network());
    const reloaded = await saveModel(await loadModel(files));
    for (const { topology, weights } of [again, reloaded]) {
      expect([sha(topology), sha(weights)]).toEqual([sha(files.topology), sha(files.weights)]);
    }
  });

  it("writes what stock tfjs loads from a folder", { tags: ["tensorflow"] }, async () => {
    const folder = await mkdtemp(join(tmpdir(), "whittle-model-"));
    const { topology, weights } = await saveModel(network());
    await writeFile(join(folder, "model.json"), topology);
    await writeFile(join(folder, "weights.bin"), weights);
    const loaded = await tf.loadLayersModel(pathToFileURL(join(folder, "model.json")).href);
    expect(output(loaded)).toEqual(output(network()));
    await rm(folder, { recursive: true });
  });

  it("leaves no tensor behind", async () => {
    const model = network();
    const before = tf.memory().numTensors;
    await saveModel(model);
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe("loadModel", () => {
  it.each([
    ["not JSON", () => text("{"), /not JSON/],
    ["JSON of something else", () => text("[]"), /modelTopology/],
    ["a topology of an unknown layer", () => text('{"modelTopology":{"class_name":"No"},"weightsManifest":[]}'), /No/],
  ])("refuses %s as corrupt", async (_what, topology, reason) => {
    const refused = loadModel({ topology: topology(), weights: new Uint8Array() });
    await expect(refused).rejects.toMatchObject({ code: "corrupt", message: expect.stringMatching(reason) });
  });

  it("refuses weights of another size than the manifest says", async () => {
    const { topology, weights } = await saveModel(network());
    for (const wrong of [weights.subarray(4), new Uint8Array(weights.length + 4)]) {
      await expect(loadModel({ topology, weights: wrong })).rejects.toMatchObject({
        code: "corrupt",
        message: expect.stringContaining(`have ${wrong.length} bytes`),
      });
    }
  });
});

describe("modelWeights", () => {
  it("names the weights as the manifest does, in every copy of a model", () => {
    const names = ["conv/kernel", "conv/bias", "norm/gamma", "norm/beta", "logits/kernel", "logits/bias"];
    const moving = ["norm/moving_mean", "norm/moving_variance"];
    for (const model of [network(), network()]) {
      expect(Object.keys(modelWeights(model)).toSorted()).toEqual([...names, ...moving].toSorted());
    }
  });

  it("gives copies", () => {
    const model = network();
    modelWeights(model)["logits/bias"]?.data.fill(9);
    expect([...(modelWeights(model)["logits/bias"]?.data ?? [])]).toEqual([0, 0, 0]);
  });

  it("refuses a model whose layers share a name", () => {
    const layers = [1, 2].map(() => tf.layers.dense({ name: "same", units: 2, inputShape: [2] }));
    const twice = tf.sequential();
    for (const layer of layers) twice.add(layer);
    expect(() => modelWeights(twice)).toThrow(/"same\/kernel"/);
  });
});

describe("assignWeights", () => {
  it("changes all weights or, when one does not fit, none", () => {
    const [from, to] = [network(), network()];
    const changed = modelWeights(from);
    changed["logits/bias"]?.data.fill(5);
    assignWeights(to, changed);
    expect(modelWeights(to)).toEqual(changed);
    const wrong = { ...modelWeights(from), "logits/bias": { shape: [4], data: new Float32Array(4) } };
    expect(() => assignWeights(to, wrong)).toThrow(/"logits\/bias" must be \[3\], but is \[4\]/);
    expect(() => assignWeights(to, { ...changed, extra: { shape: [], data: new Float32Array(1) } })).toThrow(/"extra"/);
    expect(modelWeights(to)).toEqual(changed);
  });
});
