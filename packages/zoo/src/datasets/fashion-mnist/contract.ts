import { defineDataset } from "../../contracts.ts";

export const dataset = defineDataset({
  name: "fashion-mnist",
  title: "Fashion-MNIST",
  description: "Grey images of clothes from a shop's catalogue (Xiao, Rasul, Vollgraf, 1708.07747).",
  licence: "MIT",
  inputShape: [28, 28, 1],
  labels: ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"],
  preprocessing: { scale: 1 / 255, offset: 0 },
  samples: { train: 60_000, test: 10_000 },
  sources: [{ type: "debian", package: "dataset-fashion-mnist", path: "/usr/share/datasets/fashion-mnist" }],
});
