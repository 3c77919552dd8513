import { defineDataset } from "../../contracts.ts";

export const dataset = defineDataset({
  name: "tiny",
  title: "Tiny patterns",
  description: "Noisy stripes and checks of 8 x 8, generated: for tests and first tries, learnt in a second.",
  licence: "MIT",
  inputShape: [8, 8, 1],
  labels: ["rows", "columns", "diagonals", "checks"],
  preprocessing: { scale: 1 / 255, offset: 0 },
  samples: { train: 512, test: 128 },
  sources: [{ type: "bundled" }],
});
