/** What one sample looks like, without the batch. */
export interface SampleShape {
  inputShape: number[];
  /** How many tokens there are, where a sample is a sequence [steps] of token ids. */
  vocabulary?: number | undefined;
}

/** What a classifier is built for: samples of a shape, and how many classes they belong to. */
export interface ClassifierShape extends Pick<SampleShape, "inputShape"> {
  classes: number;
}

/** The samples that a model family takes. */
export interface Samples {
  description: string;
  include: (shape: SampleShape) => boolean;
}

export const images: Samples = {
  description: "images [height, width, channels]",
  include: ({ inputShape }) => inputShape.length === 3,
};

export const sequences: Samples = {
  description: "token ids [steps] of a vocabulary, rows [steps, features] or images [height, width, channels]",
  include: ({ inputShape: { length: rank }, vocabulary }) =>
    vocabulary === undefined ? rank === 2 || rank === 3 : rank === 1,
};

/** Why a family can't take samples of a shape; undefined when it can. A family that says nothing of its samples takes all. */
export function misfit({ name, takes }: { name: string; takes?: Samples }, shape: SampleShape): string | undefined {
  if (takes === undefined || takes.include(shape)) return undefined;
  const { inputShape, vocabulary } = shape;
  const without = takes === sequences ? " without a vocabulary" : "";
  const tokens = vocabulary === undefined ? without : ` of ${vocabulary} tokens`;
  return `a ${name} takes ${takes.description}, not [${inputShape.join(", ")}]${tokens}`;
}

/** Why a family can't take a data set; undefined when it can. @param name what the data set is called in the message. */
export function misfitOf(
  family: { name: string; takes?: Samples },
  name: string,
  { inputShape, vocabulary }: { inputShape: number[]; vocabulary?: string[] | undefined },
): string | undefined {
  const problem = misfit(family, { inputShape, vocabulary: vocabulary?.length });
  return problem && `${problem}, as ${name} has`;
}
