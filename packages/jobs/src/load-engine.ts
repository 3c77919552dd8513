import { modelReferences, trainingSettings, type JobDefinition } from "@whittle/contracts";
import { productsOf } from "@whittle/zoo/catalog";
import { z } from "zod";
import type { JobContext } from "./shared/context.ts";
import { startEngine } from "./shared/zoo-model.ts";
import { datasetOf } from "./step-key.ts";

type Params = Record<string, unknown>;

/**
 * Loads TensorFlow with the threads that suit the products of a job's training, where these are known. It takes them once: call this
 * before anything of the job loads it.
 */
export async function loadEngine(definition: JobDefinition, params: Params, context: JobContext): Promise<void> {
  const macs = await macsPerProduct(definition, params, context);
  if (macs !== undefined) await startEngine(context, { macsPerProduct: macs });
}

/** Multiply-accumulates of a step's mean product; undefined where the model's family does not say. */
export async function macsPerProduct(
  definition: JobDefinition,
  params: Params,
  context: Pick<JobContext, "store" | "dataset">,
): Promise<number | undefined> {
  const perSample = await meanProduct(definition, params, context);
  return perSample && perSample * batchSizeOf(params);
}

const architecture = z.object({ family: z.string(), familyParams: z.unknown() });

/** For one sample, of the model that is trained: the one that is built, or else the first that is taken. */
async function meanProduct(
  definition: JobDefinition,
  params: Params,
  context: Pick<JobContext, "store" | "dataset">,
): Promise<number | undefined> {
  const built = architecture.safeParse(params);
  const dataset = built.success && (await datasetOf(definition, params, context));
  if (dataset) {
    const { inputShape, labels } = await context.dataset(dataset);
    const products = productsOf(built.data, { inputShape, classes: labels.length });
    return products && sum(products) / products.length;
  }
  const [model] = modelReferences(definition, params);
  if (!model) return undefined;
  const { config, metrics } = await context.store.manifest(model.reference);
  const { inputs, outputs } = config.signature;
  const shape = { inputShape: inputs[0]?.shape.slice(1) ?? [], classes: outputs[0]?.shape.at(-1) ?? 0 };
  const products = productsOf(config, shape);
  // What has been pruned has as many products, with fewer multiply-accumulates than its family says.
  return products && (metrics.macs ?? sum(products)) / products.length;
}

const trained = z.object({ batchSize: z.number() });

function batchSizeOf(params: Params): number {
  const settings = [params, params["fineTune"], params["training"]].map((each) => trained.safeParse(each).data);
  return settings.find((each) => each)?.batchSize ?? trainingSettings.shape.batchSize.parse(undefined);
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
