import {
  formatBytes,
  importedFamily,
  type FileRole,
  type Manifest,
  type ModelConfig,
  type Preprocessing,
  type TensorSpec,
} from "@whittle/contracts";
import { z } from "zod";
import { count, list, percent, table } from "./text.ts";

/** What a model is, takes and gives. */
export function describeModel({ config, metrics }: Manifest): string {
  const { signature, preprocessing, labels, vocabulary } = config;
  const tensors = (specs: TensorSpec[]) => specs.map(describeTensor).join(", ");
  return list([
    originOf(config),
    metrics.parameters !== undefined && `${count(metrics.parameters)} parameters`,
    `Takes ${tensors(signature.inputs)}: ${vocabulary ? `ids of ${count(vocabulary.length)} tokens` : describeScaling(preprocessing)}`,
    `Gives ${tensors(signature.outputs)}: a logit for each class; the largest is the answer`,
    labels && `Classes, in order: ${labels.join(", ")}`,
  ]);
}

function originOf(config: ModelConfig): string {
  const { family, familyParams } = config;
  if (family !== importedFamily) return `The family \`${family}\` of the zoo${parametersOf(config)}`;
  const { warnings } = z.object({ warnings: z.array(z.string()).default([]) }).parse(familyParams);
  const origin = `Imported from an ONNX file, ${String(familyParams["file"])}, which another tool made`;
  return [origin, ...warnings.map((warning) => `Warning: ${warning}`)].join(". ");
}

function parametersOf({ familyParams, compression }: ModelConfig): string {
  const given = Object.entries(familyParams).map(([name, value]) => `${name} ${JSON.stringify(value)}`);
  if (given.length === 0) return "";
  return `${compression?.channels ? ", before channels were removed" : ""}: ${given.join(", ")}`;
}

function describeTensor({ name, datatype, shape }: TensorSpec): string {
  return `\`${name}\` ${datatype} [${shape.map((size) => (size === -1 ? "batch" : size)).join(", ")}]`;
}

/** What is done to raw values: "each raw value x as x / 255". */
function describeScaling({ scale, offset }: Preprocessing): string {
  if (scale === 1 && offset === 0) return "raw values as they are";
  const divisor = Math.round(1e6 / scale) / 1e6;
  const isDivision = Math.abs(scale) < 1 && Math.abs(divisor * scale - 1) < 1e-9;
  const scaled = scale === 1 ? "x" : isDivision ? `x / ${divisor}` : `x * ${Number(scale.toPrecision(6))}`;
  const moved = Number(Math.abs(offset).toPrecision(6));
  return `each raw value x as ${scaled}${offset === 0 ? "" : ` ${offset < 0 ? "-" : "+"} ${moved}`}`;
}

const uses: Record<FileRole, string> = {
  tfjs: "TensorFlow.js (`tf.loadLayersModel`), with weights.bin beside it; what is trained and compressed further",
  weights: "the weights of model.json",
  onnx: "ONNX; what is served and was measured",
  "saved-model": "TensorFlow SavedModel (`tf.saved_model.load` of its folder), signature `serving_default`",
  report: "evidence that the job gathered",
};

export function describeFormats({ files }: Manifest): string {
  return table(
    ["File", "What it is", "Size"],
    files.map(({ path, role, size }) => [`\`${path}\``, uses[role], formatBytes(size)]),
  );
}

/** What a model must not be used for, as far as it follows from how it was made and measured. */
export function describeLimits({ data, config, metrics, files }: Manifest): string {
  const { labels, compression } = config;
  const weakest = weakestClass(metrics);
  return list([
    data && `It was made and measured on ${data.name} only. How it answers samples of another origin was not measured`,
    `It knows ${labels ? `the ${labels.length} classes above` : "its classes"} and answers one of them whatever it is shown`,
    weakest &&
      `It is weakest at ${weakest.label}, of which it recognises ${percent(weakest.share)}: do not rely on the mean accuracy where that class matters`,
    "Logits are not calibrated probabilities. Decisions about people need an evaluation of their own",
    compression?.prunedSparsity !== undefined &&
      "Its zeros make a compressed file smaller and nothing faster: a processor computes with them as with other weights",
    !files.some(({ role }) => role === "tfjs") && whatCannotBeDone(config),
    "Latencies are those of the processor named above; on another they must be measured again",
  ]);
}

/** With a model that has no trainable form. */
function whatCannotBeDone({ family, compression }: ModelConfig): string {
  if (family !== importedFamily)
    return "It can't be trained or compressed further: that starts from the model that it was made from";
  const done = compression?.quantization
    ? "It is quantized already and can be a teacher"
    : "It can be quantized or be a teacher";
  return `${done}, but not be trained, pruned or clustered here: it was imported as ONNX`;
}

function weakestClass({ perClass = [] }: Manifest["metrics"]): { label: string; share: number } | undefined {
  const shares = perClass
    .filter(({ samples }) => samples > 0)
    .map(({ label, samples, correct }) => ({ label, share: correct / samples }));
  return shares.toSorted((a, b) => a.share - b.share)[0];
}
