import { initEngine, modelWeights } from "@whittle/engine";
import { exportOnnx } from "@whittle/onnx";
import type { ArtifactDraft } from "@whittle/contracts";
import { buildModel } from "@whittle/zoo";

const models = {
  mlp: { family: "mlp", familyParams: { hidden: [512, 256] } },
  cnn: { family: "cnn", familyParams: { filters: [32, 64], dense: 128, dropout: 0 } },
};

export type ModelName = keyof typeof models;

export const modelNames: ModelName[] = ["mlp", "cnn"];

/** Classifiers of 28 x 28 images with the first weights of a seed: how fast a model answers does not depend on what it has learned. */
export async function untrained(name: ModelName, seed: number): Promise<ArtifactDraft> {
  await initEngine();
  const { family, familyParams } = models[name];
  const signature = {
    inputs: [{ name: "input", datatype: "FP32" as const, shape: [-1, 28, 28, 1] }],
    outputs: [{ name: "logits", datatype: "FP32" as const, shape: [-1, 10] }],
  };
  const model = buildModel(family, familyParams, { inputShape: [28, 28, 1], classes: 10, seed });
  try {
    const topology = model.toJSON(undefined, false);
    const bytes = exportOnnx({ topology, weights: modelWeights(model), signature });
    return {
      config: { family, familyParams, signature, preprocessing: { scale: 1 / 255, offset: 0 } },
      metrics: {},
      job: { kind: "train", params: { seed } },
      parents: [],
      versions: {},
      files: [{ path: "model.onnx", role: "onnx", mediaType: "application/octet-stream", bytes }],
      measurements: {},
    };
  } finally {
    model.dispose();
  }
}
