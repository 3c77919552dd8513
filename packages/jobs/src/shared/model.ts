import { AppError, importedFamily, type Manifest } from "@whittle/contracts";
import { loadModel, type tf } from "@whittle/engine";
import type { Dataset } from "@whittle/zoo";
import type { JobContext } from "./context.ts";

/** An artifact of the store that a job was given, and the parameter that named it, for messages. */
export interface Artifact {
  param: string;
  digest: string;
  manifest: Manifest;
}

export async function openArtifact({ store }: JobContext, param: string, digest: string): Promise<Artifact> {
  return { param, digest, manifest: await store.manifest(digest) };
}

/**
 * The trainable form of an artifact. The caller disposes it.
 * @throws AppError `invalid_request` when it has none, which is so after an import and after quantization.
 */
export async function openTrainable({ store }: JobContext, artifact: Artifact): Promise<tf.LayersModel> {
  const { manifest, param } = artifact;
  if (!isTrainable(manifest)) refuse(param, `the model ${whyNotTrainable(manifest)}`);
  const [topology, weights] = await Promise.all([
    store.readFile(manifest, "tfjs"),
    store.readFile(manifest, "weights"),
  ]);
  return loadModel({ topology, weights });
}

/** Whether an artifact has a model of layers, and not only the ONNX that is served. */
export function isTrainable({ files }: Manifest): boolean {
  return files.some(({ role }) => role === "tfjs");
}

/** After the name of an artifact that has no trainable form: why, and what to do. */
export function whyNotTrainable(manifest: Manifest): string {
  const none = "has no form that can be trained";
  if (isImported(manifest))
    return `${none}: it was imported as ONNX, which can be quantized, evaluated and served, but not trained`;
  const why = isQuantized(manifest) ? "it is quantized" : "it was published without one";
  return `${none}: ${why}. Name the model that it was made from`;
}

/** Whether a model, or the one that it was quantized from, was made by another tool and is ONNX alone. */
export function isImported({ config }: Manifest): boolean {
  return config.family === importedFamily;
}

export function isQuantized({ config }: Manifest): boolean {
  return config.compression?.quantization !== undefined;
}

/**
 * Checks that a model takes the samples of a data set and tells its classes apart.
 * @throws AppError `invalid_request` saying what both are.
 */
export function checkFits({ manifest, param }: Artifact, { name, inputShape, labels }: Dataset): void {
  const { signature, labels: known } = manifest.config;
  const takes = signature.inputs[0]?.shape.slice(1) ?? [];
  if (takes.join() !== inputShape.join()) {
    refuse(param, `the model takes inputs of shape [${takes.join(", ")}], but ${name} has [${inputShape.join(", ")}]`);
  }
  const classes = signature.outputs[0]?.shape.at(-1);
  if (classes !== labels.length) {
    refuse(param, `the model tells ${classes} classes apart, but ${name} has ${labels.length}`);
  }
  if (known !== undefined && known.join() !== labels.join()) {
    refuse(param, `the model's classes are ${known.join(", ")}, but those of ${name} are ${labels.join(", ")}`);
  }
}

/** @throws AppError `invalid_request` at a parameter. */
export function refuse(param: string, message: string): never {
  throw new AppError("invalid_request", `params.${param}: ${message}`, {
    issues: [{ path: `params.${param}`, message }],
  });
}
