import { z } from "zod";
import { preprocessing } from "./manifest.ts";
import { digest, modelName } from "./references.ts";

/** What is known of a data set's samples before they are read. */
export const datasetContent = z.object({
  inputShape: z.array(z.int().positive()).min(1).meta({ description: "Shape of one sample, as models take it." }),
  labels: z.array(z.string()).min(2).meta({ description: "Names of the classes; a label is an index into them." }),
  vocabulary: z
    .array(z.string())
    .optional()
    .meta({ description: "What each token id stands for, where samples are sequences of them." }),
  preprocessing,
  samples: z.object({ train: z.int().positive(), test: z.int().positive() }),
});

/** A version of an uploaded data set, in the store. Create-only. */
export const datasetRecord = datasetContent.extend({
  name: modelName,
  version: z.int().positive(),
  digest: digest.meta({ description: "Of the file as it was uploaded." }),
  size: z.int().positive().meta({ description: "Bytes of that file." }),
  warnings: z
    .array(z.string())
    .optional()
    .meta({ description: "What is probably not meant, such as classes that are tested and not taught." }),
  actor: z.string(),
  createdAt: z.iso.datetime(),
});

export type DatasetContent = z.infer<typeof datasetContent>;
export type DatasetRecord = z.infer<typeof datasetRecord>;

/** A version of an uploaded data set, as `name@version` says it. */
export interface UploadedDataset {
  name: string;
  version: number;
}

/** `name@version`, as {@link parseUploadedDataset} reads it. */
export const uploadedDatasetPattern = /^([a-z0-9][a-z0-9._-]{0,127})@([1-9]\d{0,8})$/;

/**
 * Reads `name@version`, the version of an uploaded data set.
 * @returns undefined when the text is anything else, such as the name of a data set of the zoo.
 */
export function parseUploadedDataset(text: string): UploadedDataset | undefined {
  const [, name, version] = uploadedDatasetPattern.exec(text) ?? [];
  return name === undefined ? undefined : { name, version: Number(version) };
}
