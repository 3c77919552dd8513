import { readFile } from "node:fs/promises";
import { z } from "zod";

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
