// Written by `npm run generate` from the folders beside it. Edit those.

import { definition as clusterDefinition } from "../cluster/contract.ts";
import { definition as distillDefinition } from "../distill/contract.ts";
import { definition as evaluateDefinition } from "../evaluate/contract.ts";
import { definition as importDefinition } from "../import/contract.ts";
import { definition as pruneDefinition } from "../prune/contract.ts";
import { definition as quantizeDefinition } from "../quantize/contract.ts";
import { definition as trainDefinition } from "../train/contract.ts";

export const catalog = {
  cluster: clusterDefinition,
  distill: distillDefinition,
  evaluate: evaluateDefinition,
  import: importDefinition,
  prune: pruneDefinition,
  quantize: quantizeDefinition,
  train: trainDefinition,
};
