import { AppError, type WorkerView } from "@whittle/contracts";
import type { Step } from "@whittle/sdk";

/** Names of the stages, in the order of the table. `control` is the student without a teacher. */
export const stageNames = ["teacher", "control", "distilled", "pruned", "quantized"] as const;
export type StageName = (typeof stageNames)[number];

/** The first that every worker has is used. */
const candidates = ["fashion-mnist", "mnist"] as const;

export interface Recipe {
  dataset: (typeof candidates)[number];
  steps: (Step & { step: StageName; output: { name: string } })[];
  /** What is not as it should be, for a person to see. */
  warnings: string[];
}

/** How much is done: all of the data, or what WebAssembly can train in the same time. */
const sizes = {
  full: { limit: {}, teacher: 5, student: 15, fineTune: 4 },
  small: { limit: { limit: { train: 6000 } }, teacher: 2, student: 10, fineTune: 3 },
};

/**
 * Chooses data and size by what the workers have.
 * @throws AppError `unsupported` when no worker has a data set for it.
 */
export function chooseRecipe(workers: WorkerView[]): Recipe {
  const warnings: string[] = [];
  const dataset = candidates.find((name) => workers.every(({ datasets }) => datasets.includes(name)));
  if (dataset === undefined) {
    throw new AppError(
      "unsupported",
      "Neither Fashion-MNIST nor MNIST is on this machine: npm run whittle -- setup tells how to get them",
    );
  }
  if (dataset === "mnist")
    warnings.push("FASHION-MNIST IS MISSING: this run uses MNIST, whose accuracies are higher and not comparable.");
  const wasm = workers.some(({ backend }) => backend.backend === "wasm");
  if (wasm)
    warnings.push("NO NATIVE TENSORFLOW: this run trains on WebAssembly, on a tenth of the data and for fewer epochs.");
  return { dataset, warnings, steps: steps(dataset, wasm ? sizes.small : sizes.full) };
}

function training(epochs: number, learningRate: number) {
  return {
    epochs,
    batchSize: 128,
    optimizer: { type: "adam", learningRate },
    schedule: { type: "cosine", warmupEpochs: 0.2 },
    clip: { value: 1 },
    monitor: "loss",
    seed: 1,
  } as const;
}

/** Teacher -> distilled -> pruned -> quantized, and beside them the same student without a teacher. */
function steps(
  dataset: Recipe["dataset"],
  { limit, teacher, student, fineTune }: (typeof sizes)["full" | "small"],
): Recipe["steps"] {
  const prefix = dataset.replace("-mnist", "");
  const mlp = { family: "mlp", familyParams: { hidden: [128] } } as const;
  const output = (name: string) => ({ output: { name: `${prefix}-${name}` } });
  return [
    {
      step: "teacher",
      kind: "train",
      params: {
        family: "cnn",
        familyParams: { filters: [16, 32], dense: 128 },
        dataset,
        ...limit,
        ...training(teacher, 0.003),
      },
      ...output("teacher"),
    },
    {
      step: "control",
      kind: "train",
      params: { ...mlp, dataset, ...limit, ...training(student, 0.003) },
      ...output("control"),
    },
    {
      step: "distilled",
      kind: "distill",
      params: { teacher: "$teacher", ...mlp, ...limit, ...training(student, 0.003), temperature: 2, alpha: 0.3 },
      ...output("distilled"),
    },
    {
      step: "pruned",
      kind: "prune",
      params: {
        model: "$distilled",
        scope: "global",
        amount: 0.5,
        ...limit,
        fineTune: training(fineTune, 0.001),
      },
      ...output("pruned"),
    },
    {
      step: "quantized",
      kind: "quantize",
      params: { model: "$pruned", bits: 8, granularity: "channel" },
      output: { name: `${prefix}-int8`, alias: "prod" },
    },
  ];
}
