/** What there is in the zoo. Zod only, no TensorFlow: the API and the CLI load this. */
import { mustBe, uploadedDatasetPattern } from "@whittle/contracts";
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

const forms = `a data set of the zoo (${datasetName.options.join(", ")}) or an uploaded one with its version, such as mine@1`;

const error = ({ input }: { input?: unknown }) => mustBe(forms, input);

/** `name@version`, so typed that the name of a data set that the zoo lacks does not compile. */
const uploaded = z
  .templateLiteral([z.string(), "@", z.number()], { error })
  .refine((text) => uploadedDatasetPattern.test(text), { error });

/** How a job names the data set that it takes: one of the zoo, or a version of an uploaded one. */
export const datasetReference = z.union([datasetName, uploaded], { error });

/** The contract of a data set of the zoo; undefined for an uploaded one, of which only the store knows. */
export function zooDataset(reference: string): DatasetContract | undefined {
  const { data } = datasetName.safeParse(reference);
  return data && datasets[data];
}

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

export { misfit, misfitOf, type ClassifierShape, type SampleShape } from "./samples.ts";
export type { DatasetContract, DatasetSource, FamilyExample, ModelFamily } from "./contracts.ts";
