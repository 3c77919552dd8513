/** What there is in the zoo. Zod only, no TensorFlow: the API and the CLI load this. */
import { z } from "zod";
import type { DatasetContract, ModelFamily } from "./contracts.ts";
import * as generated from "./generated/catalog.ts";
import type { ClassifierShape } from "./samples.ts";

export type FamilyName = keyof typeof generated.families;
export type DatasetName = keyof typeof generated.datasets;

export const families: Readonly<Record<FamilyName, ModelFamily>> = generated.families;
export const datasets: Readonly<Record<DatasetName, DatasetContract>> = generated.datasets;

/** Names of the families, which the error lists when another is given. */
export const familyName = nameEnum(generated.families, "model family");
export const datasetName = nameEnum(generated.datasets, "data set");

function nameEnum<T extends object>(entries: T, what: string) {
  const isName = (name: string): name is keyof T & string => Object.hasOwn(entries, name);
  const names = Object.keys(entries).filter(isName);
  return z.enum(names, { error: `must be a ${what} of the zoo: ${names.join(", ")}` });
}

/**
 * Multiply-accumulates of one sample in each product of a zoo model: see {@link ModelFamily.products}.
 * @returns undefined where the family is none of the zoo, does not say, or does not take the parameters.
 */
export function productsOf(
  { family, familyParams }: { family: string; familyParams: unknown },
  shape: ClassifierShape,
): number[] | undefined {
  const known = familyName.safeParse(family);
  if (!known.success) return undefined;
  const params = families[known.data].params.safeParse(familyParams);
  return params.success ? families[known.data].products?.(params.data, shape) : undefined;
}

export { misfit, type ClassifierShape, type SampleShape } from "./samples.ts";
export type { DatasetContract, DatasetSource, FamilyExample, ModelFamily } from "./contracts.ts";
