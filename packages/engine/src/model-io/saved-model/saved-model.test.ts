/** @module-tag tensorflow */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Signature } from "@whittle/contracts";
import { beforeAll, describe, expect, it } from "vitest";
import { initEngine } from "../../runtime/init.ts";
import { nativeBinding } from "../../runtime/native.ts";
import { tf } from "../../tf.ts";
import { saveSavedModel } from "./saved-model.ts";

beforeAll(() => initEngine());

const spec = (name: string, shape: number[]) => ({ name, datatype: "FP32" as const, shape: [-1, ...shape] });
const onlyX: Signature = { inputs: [spec("x", [2])], outputs: [spec("y", [2])] };

/** Images and rows in; out comes a tensor of each. Inference and training differ by dropout and batch normalization. */
function twoInputs(): tf.LayersModel {
  const image = tf.input({ shape: [4, 4, 2] });
  const row = tf.input({ shape: [3] });
  const apply = (layer: tf.layers.Layer, ...inputs: tf.SymbolicTensor[]) => {
    const output = layer.apply(inputs.length > 1 ? inputs : (inputs[0] ?? image));
    if (output instanceof tf.SymbolicTensor) return output;
    throw new Error("the layer has several outputs");
  };
  const convolved = apply(tf.layers.conv2d({ filters: 3, kernelSize: 2 }), image);
  const flat = apply(tf.layers.flatten(), apply(tf.layers.batchNormalization(), convolved));
  const both = apply(tf.layers.concatenate(), apply(tf.layers.dropout({ rate: 0.5 }), flat), row);
  const states = apply(tf.layers.gru({ units: 2 }), apply(tf.layers.reshape({ targetShape: [6, 5] }), both));
  const model = tf.model({ inputs: [image, row], outputs: [apply(tf.layers.dense({ units: 2 }), both), states] });
  model.setWeights(model.getWeights().map((weight, at) => tf.randomUniform(weight.shape, 0.1, 1, "float32", at + 1)));
  return model;
}

const twoSpecs: Signature = {
  inputs: [spec("image", [4, 4, 2]), spec("row", [3])],
  outputs: [spec("logits", [2]), spec("states", [2])],
};

/** A model whose one layer computes by `call`. */
function custom(call: (x: tf.Tensor) => tf.Tensor): tf.LayersModel {
  class Custom extends tf.layers.Layer {
    static readonly className = "Custom";
    override call(inputs: tf.Tensor | tf.Tensor[]) {
      const [x] = [inputs].flat();
      return tf.tidy(() => call(x ?? tf.zeros([0])));
    }
  }
  return tf.sequential({ layers: [new Custom({ inputShape: [2] })] });
}

/** Writes a SavedModel into a folder with nothing else, for `use`, by the module that reads SavedModels of any origin. */
async function withFolder<T>(bytes: Uint8Array, use: (folder: string, node: Reader) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "whittle-saved-"));
  try {
    await writeFile(join(folder, "saved_model.pb"), bytes);
    return await use(folder, (await import("@tensorflow/tfjs-node-gpu")).node);
  } finally {
    await rm(folder, { recursive: true });
  }
}

type Reader = typeof import("@tensorflow/tfjs-node-gpu").node;

describe("saveSavedModel", () => {
  it("writes what answers as the model does in inference, for any number of samples", async () => {
    const model = twoInputs();
    await withFolder(saveSavedModel(model, twoSpecs), async (folder, node) => {
      const loaded = await node.loadSavedModel(folder);
      for (const samples of [1, 3, 32]) {
        const image = tf.randomUniform([samples, 4, 4, 2], -1, 1, "float32", 1);
        const row = tf.randomUniform([samples, 3], -1, 1, "float32", 2);
        const answer = loaded.predict({ image, row });
        if (answer instanceof tf.Tensor || Array.isArray(answer)) throw new Error("the outputs have no names");
        for (const [at, expected] of [model.apply([image, row], { training: false })].flat().entries()) {
          const given = answer[at === 0 ? "logits" : "states"];
          if (!(expected instanceof tf.Tensor) || !given) throw new Error("an output is missing");
          expect(given.shape).toEqual([samples, 2]);
          expect(Math.max(...tf.abs(tf.sub(expected, given)).dataSync())).toBeLessThan(1e-5);
        }
      }
      loaded.dispose();
    });
  });

  it("says what it takes and gives, and has neither variables nor random numbers", async () => {
    const bytes = saveSavedModel(twoInputs(), twoSpecs);
    const [graph, ...others] = await withFolder(bytes, (folder, node) => node.getMetaGraphsFromSavedModel(folder));
    expect(others).toEqual([]);
    expect(graph?.tags).toEqual(["serve"]);
    expect(graph?.signatureDefs).toMatchObject({
      serving_default: {
        inputs: { image: { dtype: "float32" }, row: { dtype: "float32" } },
        outputs: { logits: { dtype: "float32" }, states: { dtype: "float32" } },
      },
    });
    expect(Buffer.from(bytes).toString("latin1")).not.toMatch(/VarHandleOp|ReadVariableOp|Random/);
  });

  it("gives the same bytes again and leaves no tensor behind", () => {
    const model = twoInputs();
    const first = saveSavedModel(model, twoSpecs);
    const before = [tf.memory().numTensors, nativeBinding()?.getNumOfTensors()];
    expect(saveSavedModel(model, twoSpecs)).toEqual(first);
    expect([tf.memory().numTensors, nativeBinding()?.getNumOfTensors()]).toEqual(before);
  });

  it("computes sizes and constants that grow with the batch", async () => {
    const grows = custom((x) => {
      const [samples = 0] = x.shape;
      const pairs = tf.tile(tf.reshape(x, [2 * samples, 1]), [1, 3]);
      return tf.add(tf.slice(tf.reshape(pairs, [samples, 6]), [0, 0], [samples, 2]), tf.ones([samples, 1]));
    });
    await withFolder(saveSavedModel(grows, onlyX), async (folder, node) => {
      const loaded = await node.loadSavedModel(folder);
      const answer = loaded.predict(tf.tensor2d([1, 2, 3, 4, 5, 6], [3, 2]));
      if (!(answer instanceof tf.Tensor)) throw new Error("no tensor");
      expect([...answer.dataSync()]).toEqual([2, 2, 4, 4, 6, 6]);
      loaded.dispose();
    });
  });

  it.each<[string, (x: tf.Tensor) => tf.Tensor, RegExp]>([
    ["a number", (x) => tf.mul(x, x.shape[0] ?? 0), /mul has constants/],
    ["other numbers for each sample", (x) => tf.add(x, tf.range(0, x.shape[0]).expandDims(1)), /has constants/],
    [
      "sizes that are no multiple",
      (x) => tf.slice(tf.concat([x, x]), [0, 0], [(x.shape[0] ?? 0) + 1, 2]),
      /slice has sizes/,
    ],
    ["another operation", (x) => (x.shape[0] === 5 ? tf.sin(x) : tf.cos(x)), /sin \(Sin\) is not the same/],
    ["an operation more", (x) => (x.shape[0] === 5 ? tf.neg(tf.neg(x)) : tf.neg(x)), /neg \(Neg\) is not the same/],
    ["an operation less", (x) => (x.shape[0] === 5 ? tf.neg(x) : tf.neg(tf.neg(x))), /neg \(Neg\) is not the same/],
    ["random numbers", (x) => tf.add(x, tf.randomUniform([2])), /randomUniform draws random numbers/],
  ])("refuses a model that takes from the batch's size, or at random, %s", (_what, call, message) => {
    const refusal = { code: "unsupported", message: expect.stringMatching(message) };
    expect(() => saveSavedModel(custom(call), onlyX)).toThrow(expect.objectContaining(refusal));
  });

  it("refuses inputs without a fixed size, and a signature that does not name all inputs", () => {
    const open = tf.sequential({ layers: [tf.layers.globalAveragePooling1d({ inputShape: [null, 2] })] });
    expect(() => saveSavedModel(open, onlyX)).toThrow(/fixed sizes, not \[, 2\]/);
    expect(() => saveSavedModel(twoInputs(), { ...twoSpecs, inputs: onlyX.inputs })).toThrow(/signature.inputs has 1/);
  });
});
