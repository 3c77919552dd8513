import { AppError, canonicalJson } from "@whittle/contracts";
import { tf } from "../tf.ts";

/** A model in the format of tfjs layers models: `model.json` and the one `weights.bin` that it names. */
export interface ModelFiles {
  topology: Uint8Array;
  weights: Uint8Array;
}

/** A model.json, as far as it is looked at here. */
interface ModelJson {
  modelTopology: object;
  weightsManifest: { paths: string[]; weights: tf.io.WeightsManifestEntry[] }[];
}

/** A model's files. Stock tfjs loads them; the same layers with the same weights give the same bytes. */
export async function saveModel(model: tf.LayersModel): Promise<ModelFiles> {
  const { modelTopology, weightSpecs, weightData } = await artifactsOf(model);
  const json = {
    format: "layers-model",
    generatedBy: `TensorFlow.js tfjs-layers v${tf.version.tfjs}`,
    convertedBy: null,
    modelTopology,
    weightsManifest: [{ paths: ["weights.bin"], weights: weightSpecs }],
  };
  const weights = new Uint8Array(tf.io.CompositeArrayBuffer.join(weightData));
  return { topology: new TextEncoder().encode(canonicalJson(json)), weights };
}

async function artifactsOf(model: tf.LayersModel): Promise<tf.io.ModelArtifacts> {
  let saved: tf.io.ModelArtifacts | undefined;
  const keep = tf.io.withSaveHandler((artifacts) => {
    saved = artifacts;
    return Promise.resolve({ modelArtifactsInfo: tf.io.getModelArtifactsInfoForJSON(artifacts) });
  });
  await model.save(keep);
  if (!saved) throw new AppError("internal", "tfjs saved no artifacts");
  return saved;
}

/**
 * Reads a model from its files.
 * @throws AppError `corrupt` when they are not a layers model or don't belong together.
 */
export async function loadModel(files: ModelFiles): Promise<tf.LayersModel> {
  const { modelTopology, weightsManifest } = parseModelJson(files.topology);
  const weightSpecs = weightsManifest.flatMap((group) => group.weights);
  checkSize(weightSpecs, files.weights.length);
  const weightData = Uint8Array.from(files.weights).buffer;
  try {
    return await tf.loadLayersModel(tf.io.fromMemory({ modelTopology, weightSpecs, weightData }));
  } catch (cause) {
    throw corrupt(cause instanceof Error ? cause.message : String(cause), cause);
  }
}

const elementBytes: Record<string, number> = {
  float32: 4,
  int32: 4,
  complex64: 8,
  bool: 1,
  uint8: 1,
  uint16: 2,
  float16: 2,
};

/** tfjs takes weights that are too long, and fills what is too short with whatever it can. */
function checkSize(specs: tf.io.WeightsManifestEntry[], length: number): void {
  const sizes = specs.map(({ shape, dtype, quantization }) => {
    const bytes = elementBytes[quantization?.dtype ?? dtype] ?? Number.NaN;
    return shape.reduce((product, size) => product * size, bytes);
  });
  const expected = sizes.reduce((sum, size) => sum + size, 0);
  if (expected !== length) throw corrupt(`the weights have ${length} bytes, but model.json says ${expected}`);
}

function parseModelJson(bytes: Uint8Array): ModelJson {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw corrupt("model.json is not JSON", cause);
  }
  if (isModelJson(json)) return json;
  throw corrupt("model.json must have modelTopology and weightsManifest");
}

function isModelJson(value: unknown): value is ModelJson {
  if (typeof value !== "object" || value === null || !("modelTopology" in value)) return false;
  return "weightsManifest" in value && Array.isArray(value.weightsManifest);
}

function corrupt(reason: string, cause?: unknown): AppError {
  return new AppError("corrupt", `The model can't be read: ${reason}`, { cause });
}
