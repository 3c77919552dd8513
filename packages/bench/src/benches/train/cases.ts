/** A model and batch size that every side trains with Adam on the same samples. */
export interface TrainCase {
  /** As in the checks' names: `mlp/b32`. */
  name: string;
  model: string;
  family: string;
  familyParams: Record<string, unknown>;
  data: DataName;
  batchSize: number;
  /** Samples of an epoch: enough for an epoch to take some tenths of a second, and a multiple of the batch size. */
  samples: number;
  /** Those that stock tfjs takes, which needs minutes for a model of thousands of small operations. */
  stockSamples: number;
}

/** The data sets: images, and windows of text as token ids. */
export type DataName = "fashion-mnist" | "udhr";

const models = [
  { model: "mlp", family: "mlp", familyParams: { hidden: [128] }, data: "fashion-mnist", samples: 25_600 },
  { model: "mlp-large", family: "mlp", familyParams: { hidden: [1024, 1024] }, data: "fashion-mnist", samples: 6_400 },
  {
    model: "cnn",
    family: "cnn",
    familyParams: { filters: [32, 64], dense: 128, dropout: 0 },
    data: "fashion-mnist",
    samples: 3_840,
  },
  {
    model: "cnn-bn",
    family: "cnn",
    familyParams: { filters: [16, 32], dense: 64, dropout: 0, batchNorm: true },
    data: "fashion-mnist",
    samples: 6_400,
  },
  {
    model: "text",
    family: "text-cnn",
    familyParams: { embedding: 32, kernels: [3, 4, 5], filters: 64 },
    data: "udhr",
    samples: 3_840,
  },
  {
    model: "gru",
    family: "gru",
    familyParams: { units: [64] },
    data: "fashion-mnist",
    samples: 3_840,
    stockSamples: 640,
  },
  {
    model: "lstm",
    family: "lstm",
    familyParams: { units: [64] },
    data: "fashion-mnist",
    samples: 3_840,
    stockSamples: 640,
  },
  {
    model: "transformer",
    family: "transformer",
    familyParams: { width: 64, heads: 4, blocks: 2, hidden: 128 },
    data: "udhr",
    samples: 3_840,
    stockSamples: 1_280,
  },
] as const;

export const cases: TrainCase[] = models.flatMap((model) =>
  [32, 128].map((batchSize) => ({
    stockSamples: model.samples,
    ...model,
    batchSize,
    name: `${model.model}/b${batchSize}`,
  })),
);
