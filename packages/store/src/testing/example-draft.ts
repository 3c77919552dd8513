import type { ArtifactDraft } from "@whittle/contracts";

const encoder = new TextEncoder();

/** A small valid draft; `content` goes into its files, so that another content is another artifact. */
export function exampleDraft(content: string, overrides: Partial<ArtifactDraft> = {}): ArtifactDraft {
  return {
    config: {
      family: "mlp",
      familyParams: { hidden: [3] },
      signature: {
        inputs: [{ name: "x", datatype: "FP32", shape: [-1, 4] }],
        outputs: [{ name: "logits", datatype: "FP32", shape: [-1, 2] }],
      },
      preprocessing: { scale: 1, offset: 0 },
    },
    metrics: {},
    job: { kind: "train", params: { seed: 1 } },
    parents: [],
    versions: { whittle: "0.1.0" },
    files: [
      {
        path: "model.json",
        role: "tfjs",
        mediaType: "application/json",
        bytes: encoder.encode(`{"model": "${content}"}`),
      },
      {
        path: "weights.bin",
        role: "weights",
        mediaType: "application/octet-stream",
        bytes: encoder.encode(content.repeat(9)),
      },
    ],
    measurements: {},
    ...overrides,
  };
}
