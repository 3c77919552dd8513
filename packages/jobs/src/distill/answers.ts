import { createHash } from "node:crypto";
import { canonicalJson, toAppError } from "@whittle/contracts";
import { predict, tf } from "@whittle/engine";
import { cpuInfo } from "@whittle/onnx/runtime";
import type { JobContext } from "../shared/context.ts";
import { openTrainable } from "../shared/model.ts";
import { versionsOf } from "../shared/versions.ts";
import { startEngine } from "../shared/zoo-model.ts";
import type { LessonPlan } from "./lesson.ts";
import type { Teacher } from "./teachers.ts";

const name = "logits";

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
  const model = await openTrainable(context, teacher);
  try {
    const logits = predict(model, samples.x);
    const values = Float32Array.from(await logits.data());
    await place.write(name, new Uint8Array(values.buffer)).catch((error: unknown) => {
      context.log("warn", `the teacher's answers are not kept: ${toAppError(error).message}`);
    });
    return logits;
  } finally {
    model.dispose();
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
