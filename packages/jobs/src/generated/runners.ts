// Written by `npm run generate` from the folders beside it. Edit those.

export const runners = {
  cluster: () => import("../cluster/run.ts"),
  distill: () => import("../distill/run.ts"),
  evaluate: () => import("../evaluate/run.ts"),
  import: () => import("../import/run.ts"),
  prune: () => import("../prune/run.ts"),
  quantize: () => import("../quantize/run.ts"),
  train: () => import("../train/run.ts"),
};
