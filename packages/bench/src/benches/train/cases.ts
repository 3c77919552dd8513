/** A model and batch size that every side trains with Adam on the same samples. */
export interface TrainCase {
  /** As in the checks' names: `mlp/b32`. */
  name: string;
  model: string;
  family: string;
  familyParams: Record<string, unknown>;
  batchSize: number;
  /** Samples of an epoch: enough for an epoch to take some tenths of a second, and a multiple of the batch size. */
  samples: number;
}

const models = [
  { model: "mlp", family: "mlp", familyParams: { hidden: [128] }, samples: 25_600 },
  { model: "mlp-large", family: "mlp", familyParams: { hidden: [1024, 1024] }, samples: 6_400 },
  { model: "cnn", family: "cnn", familyParams: { filters: [32, 64], dense: 128, dropout: 0 }, samples: 3_840 },
  {
    model: "cnn-bn",
    family: "cnn",
    familyParams: { filters: [16, 32], dense: 64, dropout: 0, batchNorm: true },
    samples: 6_400,
  },
];

export const cases: TrainCase[] = models.flatMap((model) =>
  [32, 128].map((batchSize) => ({ ...model, batchSize, name: `${model.model}/b${batchSize}` })),
);
