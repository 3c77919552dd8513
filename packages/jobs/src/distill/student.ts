import { parse, type ModelConfig } from "@whittle/contracts";
import { mixSeed, tf } from "@whittle/engine";
import type { Dataset } from "@whittle/zoo";
import { z } from "zod";
import type { JobContext } from "../shared/context.ts";
import { isImported, isTrainable, openTrainable, refuse } from "../shared/model.ts";
import { buildClassifier, classifierConfig } from "../shared/zoo-model.ts";
import type { DistillParams } from "./contract.ts";
import type { Teacher } from "./teachers.ts";

/** What a student is built as. */
export interface StudentPlan {
  config: ModelConfig;
  /** A new student with the first weights that the job's seed gives. The caller disposes it. */
  build: () => Promise<tf.LayersModel>;
}

/**
 * A model of the family that the parameters name, or else the first teacher's like; it sees the samples as that does.
 * @throws AppError `invalid_request` where no family is named and the teacher's like can't be built.
 */
export function planStudent(
  context: JobContext,
  { family, familyParams, seed }: DistillParams,
  teacher: Teacher,
  data: Dataset,
): StudentPlan {
  const { config } = teacher.manifest;
  if (family === undefined && !isTrainable(teacher.manifest)) {
    const why = isImported(teacher.manifest) ? "was imported as ONNX" : "is quantized and ONNX alone";
    refuse("family", `must name the student's: the teacher ${why}, of which no like can be built`);
  }
  if (family === undefined) return { config: likeConfig(config), build: () => buildLike(context, teacher, seed) };
  const architecture = { family, familyParams };
  return {
    config: classifierConfig(architecture, data, config.preprocessing),
    build: () => Promise.resolve(buildClassifier(architecture, data, seed)),
  };
}

/** The channels that were removed from the teacher are not in its like either; zeros are its own. */
function likeConfig({ compression, ...config }: ModelConfig): ModelConfig {
  const { channels } = compression ?? {};
  return channels ? { ...config, compression: { channels } } : config;
}

const topology = z.record(z.string(), z.unknown());

/** The teacher's layers as they are, which after pruning are not those of its family's parameters, with new weights. */
async function buildLike(context: JobContext, teacher: Teacher, seed: number): Promise<tf.LayersModel> {
  const model = await openTrainable(context, teacher);
  const layers = parse(topology, model.toJSON(undefined, false), "The teacher's topology");
  model.dispose();
  return tf.loadLayersModel(tf.io.fromMemory({ modelTopology: reseeded(layers, seed) }));
}

/** A topology in which every initializer draws from another seed. */
function reseeded<T extends object>(modelTopology: T, seed: number): T {
  let drawn = 0;
  // tfjs takes a seed of 0 for none.
  const next = () => mixSeed(seed, (drawn += 1)) || 1;
  return JSON.parse(JSON.stringify(modelTopology, (key, value: unknown) => (key === "seed" ? next() : value)));
}
