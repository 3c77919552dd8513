import { readFile } from "node:fs/promises";
import { z } from "zod";
import { encodeModel, type OnnxModel } from "../proto/model.ts";
import { node, valueInfo } from "../proto/node.ts";
import { DataType, tensor } from "../proto/tensor.ts";

/** The models of `fixtures/export.py` and what torch, or NumPy, answers. */
const answersFile = z.object({
  /** Pixels of the samples, 0 to 255, [samples, 8, 8, 1]. */
  bytes: z.array(z.int()),
  /** Of each model: [samples, 4]. */
  answers: z.record(z.string(), z.array(z.array(z.number()))),
});

const read = (name: string) => readFile(new URL(`./fixtures/${name}`, import.meta.url));
const { bytes, answers } = answersFile.parse(JSON.parse((await read("answers.json")).toString()));

export const models = ["mlp", "cnn", "residual", "depthwise", "keras_like"] as const;
export const sample = [8, 8, 1];
export const samples = Float32Array.from(bytes, (value) => value / 255);

export const modelFile = (name: (typeof models)[number]) => read(`${name}.onnx`);

/** Row-major [samples, 4]. */
export const answersOf = (name: (typeof models)[number]) => Float32Array.from(answers[name]?.flat() ?? []);

/** A model from `input` to `output` of these nodes, as a tool might write it. */
export function foreign(parts: Partial<OnnxModel["graph"]>, opset = 17): Uint8Array<ArrayBuffer> {
  const graph = {
    name: "g",
    input: [valueInfo("x", DataType.FLOAT, [-1, 1, 8, 8])],
    output: [valueInfo("y", DataType.FLOAT, [-1, 4])],
    node: [node("Flatten", ["x"], ["f"]), node("MatMul", ["f", "w"], ["y"])],
    initializer: [
      tensor(
        "w",
        [64, 4],
        Float32Array.from({ length: 256 }, (_none, at) => Math.sin(at)),
      ),
    ],
    valueInfo: [],
    ...parts,
  };
  return encodeModel({ irVersion: 8, opsetImport: [{ domain: "", version: opset }], graph });
}
