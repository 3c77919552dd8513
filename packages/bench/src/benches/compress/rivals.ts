import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { permutation, splitIndices } from "@whittle/engine";
import { toFloat, type Dataset } from "@whittle/zoo";

const exec = promisify(execFile);

export interface QuantizeRequest {
  model: Uint8Array;
  data: Dataset;
  calibration: "minmax" | "entropy";
  /** The first of the same permutation that `quantize` jobs calibrate with. */
  samples: number;
}

export interface PruneRequest {
  model: Uint8Array;
  data: Dataset;
  method: "unstructured" | "structured";
  amount: number;
  epochs: number;
  batchSize: number;
  learningRate: number;
  /** Before the logits, as while the model was trained. */
  dropout: number;
}

/** What Python's tools make of a float ONNX model; each is undefined where the interpreter has not what it needs. */
export interface Rivals {
  /** ONNX Runtime's `quantize_static`: QDQ, uint8 activations, int8 weights for each channel. */
  quantize?: (request: QuantizeRequest) => Promise<Uint8Array>;
  /** PyTorch: `nn.utils.prune`, or a removal of channels by their L1 norm that is written for this benchmark; then fine-tuning. */
  prune?: (request: PruneRequest) => Promise<Uint8Array>;
}

/** @param python the interpreter, `python3` or another that has the tools. */
export async function findRivals(python: string, say: (line: string) => void): Promise<Rivals> {
  const has = (modules: string): Promise<boolean> =>
    exec(python, ["-c", `import ${modules}`]).then(
      () => true,
      () => false,
    );
  const quantizes = await has("onnx, onnxruntime.quantization");
  const prunes = await has("onnx, torch");
  say(
    `beside: ${quantizes ? "ONNX Runtime's quantizer" : "no quantizer"}, ${prunes ? "PyTorch's pruning" : "no pruning"}`,
  );
  return {
    ...(quantizes && { quantize: (request) => quantize(python, request) }),
    ...(prunes && { prune: (request) => prune(python, request) }),
  };
}

function quantize(python: string, { model, data, calibration, samples }: QuantizeRequest): Promise<Uint8Array> {
  const chosen = pick(data, permutation(data.train.count, 0).subarray(0, samples));
  return transform(python, "quantize.py", { model, samples: chosen, data, settings: { calibration } });
}

/** Fine-tunes on the samples that jobs fine-tune on: nine in ten, the others judge the epochs there. */
function prune(python: string, { model, data, ...settings }: PruneRequest): Promise<Uint8Array> {
  const fitted = pick(data, splitIndices(data.train.count, 0.1, 0).train);
  return transform(python, "prune.py", { model, samples: fitted, data, settings });
}

interface Work {
  model: Uint8Array;
  samples: Samples;
  data: Dataset;
  settings: Record<string, unknown>;
}

/** Runs a program on a folder with `model.onnx`, `x`, `y` and `settings.json`, in which it leaves `out.onnx`. */
async function transform(
  python: string,
  program: string,
  { model, samples, data, settings }: Work,
): Promise<Uint8Array> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "whittle-bench-"));
  try {
    const { inputShape } = data;
    const put = (name: string, content: string | Uint8Array): Promise<void> =>
      writeFile(path.join(folder, name), content);
    await put("model.onnx", model);
    await put("x", bytesOf(samples.x));
    await put("y", bytesOf(samples.y));
    await put("settings.json", JSON.stringify({ ...settings, inputShape, threads: os.availableParallelism() }));
    await exec(python, [fileURLToPath(new URL(program, import.meta.url)), folder], { maxBuffer: 2 ** 26 });
    return await readFile(path.join(folder, "out.onnx"));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Samples as the model sees them, with their labels. */
interface Samples {
  x: Float32Array;
  y: Int32Array;
}

function pick({ train, preprocessing }: Dataset, indices: Int32Array): Samples {
  const all = toFloat(train, preprocessing);
  const size = all.length / train.count;
  const x = new Float32Array(indices.length * size);
  for (const [to, from] of indices.entries()) x.set(all.subarray(from * size, (from + 1) * size), to * size);
  return { x, y: Int32Array.from(indices, (i) => train.y[i] ?? 0) };
}

function bytesOf(array: Float32Array | Int32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
