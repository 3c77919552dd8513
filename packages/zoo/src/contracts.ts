import type { Preprocessing } from "@whittle/contracts";
import type { z } from "zod";
import type { ClassifierShape, SampleShape, Samples } from "./samples.ts";

/** A kind of model with the parameters that it is built from. */
export interface ModelFamily<P extends z.ZodObject = z.ZodObject> {
  name: string;
  title: string;
  description: string;
  /** Every default is in it. */
  params: P;
  /** By default samples of any shape. */
  takes?: Samples;
  /**
   * Multiply-accumulates of one sample in each convolution and dense layer, where these are most of the model's work: how large they are
   * decides how TensorFlow's threads share it. Families of many small operations leave it out.
   */
  products?(params: z.output<P>, shape: ClassifierShape): number[];
  /** Small models that have between them every layer that the family can have: the tests of the zoo train and export each. */
  examples: FamilyExample<P>[];
}

/** A model of a family as the tests build it. */
export interface FamilyExample<P extends z.ZodObject = z.ZodObject> extends SampleShape {
  params: z.input<P>;
}

/** Declares a model family. */
export function defineFamily<P extends z.ZodObject>(family: ModelFamily<P>): ModelFamily<P> {
  return family;
}

/** Where a data set comes from; `path` is the folder with its files, in the package or absolute. */
export type DatasetSource =
  | { type: "debian"; package: string; path: string }
  | { type: "npm"; package: string; version: string; path: string }
  /** Generated in code. */
  | { type: "bundled" };

/** A labelled data set as it is known before it is read. */
export interface DatasetContract {
  name: string;
  title: string;
  description: string;
  licence: string;
  /** Shape of one sample, as models take it. */
  inputShape: number[];
  /** What each token stands for, where the samples are sequences [steps] of token ids: an id is an index into them. */
  vocabulary?: string[];
  /** Names of the classes; a label is an index into them. */
  labels: string[];
  /** What turns the raw values into what models see: x scale + offset. */
  preprocessing: Preprocessing;
  samples: { train: number; test: number };
  sources: DatasetSource[];
}

/** Declares a data set. */
export function defineDataset(dataset: DatasetContract): DatasetContract {
  return dataset;
}
