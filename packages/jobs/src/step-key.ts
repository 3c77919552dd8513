import { createHash } from "node:crypto";
import { canonicalJson, cpuInfo, modelReferences, type JobDefinition } from "@whittle/contracts";
import type { JobContext } from "./shared/context.ts";
import { versionsOf } from "./shared/versions.ts";
import { startEngine } from "./shared/zoo-model.ts";

/**
 * The SHA-256 of all that decides what a job makes: its kind, its parameters, the content of its data set, the versions of what
 * computes, and the machine, because floating-point results depend on it.
 * @param params complete, with digests in the place of names.
 * @returns undefined where it can't be told which data set the job takes.
 */
export async function stepKey(
  definition: JobDefinition,
  params: Record<string, unknown>,
  context: JobContext,
): Promise<string | undefined> {
  const name = await datasetOf(definition, params, context);
  if (name === undefined) return undefined;
  const { digest: data } = await context.dataset(name);
  const backend = await startEngine(context);
  const parts = { kind: definition.kind, params, data, versions: versionsOf(backend), backend, cpu: cpuInfo() };
  return createHash("sha256").update(canonicalJson(parts)).digest("hex");
}

/** The data set that the parameters name, or else the one that the first model was made with. */
export async function datasetOf(
  definition: JobDefinition,
  params: Record<string, unknown>,
  { store }: Pick<JobContext, "store">,
): Promise<string | undefined> {
  if (typeof params["dataset"] === "string") return params["dataset"];
  const [model] = modelReferences(definition, params);
  return model && (await store.manifest(model.reference)).data?.name;
}
