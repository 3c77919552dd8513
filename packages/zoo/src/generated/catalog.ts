// Written by `npm run generate` from the folders beside it. Edit those.

import { family as cnnFamily } from "../models/cnn/contract.ts";
import { family as dsCnnFamily } from "../models/ds-cnn/contract.ts";
import { family as gruFamily } from "../models/gru/contract.ts";
import { family as lstmFamily } from "../models/lstm/contract.ts";
import { family as mlpFamily } from "../models/mlp/contract.ts";
import { family as mobilenetFamily } from "../models/mobilenet/contract.ts";
import { family as resnetFamily } from "../models/resnet/contract.ts";
import { family as textCnnFamily } from "../models/text-cnn/contract.ts";
import { family as transformerFamily } from "../models/transformer/contract.ts";
import { dataset as cifar10Dataset } from "../datasets/cifar-10/contract.ts";
import { dataset as fashionMnistDataset } from "../datasets/fashion-mnist/contract.ts";
import { dataset as mnistDataset } from "../datasets/mnist/contract.ts";
import { dataset as tinyDataset } from "../datasets/tiny/contract.ts";
import { dataset as udhrDataset } from "../datasets/udhr/contract.ts";

export const families = {
  cnn: cnnFamily,
  "ds-cnn": dsCnnFamily,
  gru: gruFamily,
  lstm: lstmFamily,
  mlp: mlpFamily,
  mobilenet: mobilenetFamily,
  resnet: resnetFamily,
  "text-cnn": textCnnFamily,
  transformer: transformerFamily,
};

export const datasets = {
  "cifar-10": cifar10Dataset,
  "fashion-mnist": fashionMnistDataset,
  mnist: mnistDataset,
  tiny: tinyDataset,
  udhr: udhrDataset,
};
