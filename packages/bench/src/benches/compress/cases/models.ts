import type { ModelSpec } from "../laboratory.ts";

const cosine = { type: "cosine" };

/** Hinton's teacher (1503.02531, section 3): dropout, images shifted by up to two pixels, all training samples. */
export const mnistMlp: ModelSpec = {
  dataset: "mnist",
  family: "mlp",
  familyParams: { hidden: [1200, 1200], dropout: 0.5 },
  epochs: 40,
  schedule: cosine,
  augment: { shift: 2 },
  validationSplit: 0,
};

/** Hinton's smaller network, without any regularization of its own. */
export const mnistStudent: ModelSpec = {
  dataset: "mnist",
  family: "mlp",
  familyParams: { hidden: [800, 800] },
  epochs: 40,
  schedule: cosine,
  validationSplit: 0,
};

export const fashionMlp: ModelSpec = {
  dataset: "fashion-mnist",
  family: "mlp",
  familyParams: { hidden: [512, 256], dropout: 0.2 },
  epochs: 10,
  schedule: cosine,
};

export const fashionCnn: ModelSpec = {
  dataset: "fashion-mnist",
  family: "cnn",
  familyParams: { filters: [32, 64], dense: 128, dropout: 0.25 },
  epochs: 8,
  schedule: cosine,
};

/** Twice as wide: one call of it is computation, where `fashionCnn` takes about as long to be called. */
export const fashionWideCnn: ModelSpec = {
  ...fashionCnn,
  familyParams: { filters: [64, 128], dense: 128, dropout: 0.25 },
  epochs: 5,
};

export const cifarResnet: ModelSpec = {
  dataset: "cifar-10",
  family: "resnet",
  familyParams: { depth: 8 },
  epochs: 40,
  schedule: { type: "one-cycle" },
  optimizer: { type: "adam", learningRate: 0.005 },
  augment: { flip: "horizontal", shift: 4 },
};

/** A network that is too small for its task, and its teacher. */
export const fashionStudent: ModelSpec = {
  dataset: "fashion-mnist",
  family: "mlp",
  familyParams: { hidden: [32] },
  epochs: 20,
  schedule: cosine,
  validationSplit: 0,
};

export const fashionTeacher: ModelSpec = { ...fashionCnn, validationSplit: 0 };
