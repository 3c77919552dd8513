import { createHash } from "node:crypto";
import { canonicalJson, cpuInfo, toAppError } from "@whittle/contracts";
import { predict, tf } from "@whittle/engine";
import { classify, createSession } from "@whittle/onnx/runtime";
import { toFloat } from "@whittle/zoo";
import { stopIfAborted, type JobContext } from "../shared/context.ts";
import { isTrainable, openTrainable } from "../shared/model.ts";
import { versionsOf } from "../shared/versions.ts";
import { startEngine } from "../shared/zoo-model.ts";
import type { LessonPlan } from "./lesson.ts";
import type { Teacher } from "./teachers.ts";

const name = "logits";
/** Samples in a call of ONNX Runtime, and after how many it is looked whether the job is to stop. */
const [BATCH, BETWEEN_LOOKS] = [256, 4096] as const;

/**
 * A teacher's logits for each training sample, [n, classes]. They are kept in the store under the digest of all that they follow from, so
 * that other jobs with the same teacher and samples need not ask again, until they are collected as a job's scratch is.
 */
export async function answersOf(plan: LessonPlan, teacher: Teacher): Promise<tf.Tensor> {
  const { context, samples, data } = plan;
  const place = context.store.scratch(`answers-${await keyOf(plan, teacher)}`);
  const known = await recall(context, place);
  const classes = data.labels.length;
  if (known) return tf.tensor2d(known, [samples.y.length, classes]);
  const values = await (isTrainable(teacher.manifest) ? askTrainable(plan, teacher) : askOnnx(plan, teacher));
  await place.write(name, new Uint8Array(values.buffer)).catch((error: unknown) => {
    context.log("warn", `the teacher's answers are not kept: ${toAppError(error).message}`);
  });
  return tf.tensor2d(values, [samples.y.length, classes]);
}

async function askTrainable({ context, samples }: LessonPlan, teacher: Teacher): Promise<Float32Array> {
  const model = await openTrainable(context, teacher);
  const logits = predict(model, samples.x);
  try {
    return Float32Array.from(await logits.data());
  } finally {
    logits.dispose();
    model.dispose();
  }
}

/** In ONNX Runtime, for a teacher that has no other form: an imported or a quantized one. */
async function askOnnx({ context, samples, data }: LessonPlan, { manifest }: Teacher): Promise<Float32Array> {
  const { x, y } = samples;
  const size = x.values.length / y.length;
  const session = await createSession(await context.store.readFile(manifest, "onnx"));
  try {
    const answers = new Float32Array(y.length * data.labels.length);
    for (let from = 0; from < y.length; from += BETWEEN_LOOKS) {
      stopIfAborted(context.signal);
      const values = x.values.subarray(from * size, (from + BETWEEN_LOOKS) * size);
      const some = toFloat({ x: values, y, count: values.length / size }, x);
      const { logits } = await classify(session, some, data.inputShape, BATCH);
      answers.set(logits, from * data.labels.length);
    }
    return answers;
  } finally {
    await session.release();
  }
}

async function keyOf({ context, params, data }: LessonPlan, { digest, manifest }: Teacher): Promise<string> {
  const { limit, validationSplit } = params;
  const backend = await startEngine(context);
  const asked = { data: data.digest, limit, validationSplit, preprocessing: manifest.config.preprocessing };
  const parts = { teacher: digest, samples: asked, versions: versionsOf(backend), backend, cpu: cpuInfo() };
  return createHash("sha256").update(canonicalJson(parts)).digest("hex");
}

type Place = ReturnType<JobContext["store"]["scratch"]>;

/** @returns undefined where the answers are not known, or, with a warning, are damaged: they are removed then. */
async function recall(context: JobContext, place: Place): Promise<Float32Array | undefined> {
  try {
    const bytes = await place.read(name);
    if (!bytes) return undefined;
    context.log("info", "the teacher's answers are known from an earlier job");
    return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  } catch (error) {
    const failure = toAppError(error);
    if (failure.code !== "corrupt") throw failure;
    context.log("warn", `the teacher is asked again: ${failure.message}`);
    await place.remove(name);
    return undefined;
  }
}
