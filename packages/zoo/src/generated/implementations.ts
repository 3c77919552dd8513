// Written by `npm run generate` from the folders beside it. Edit those.

import { build as cnnBuild } from "../models/cnn/build.ts";
import { build as dsCnnBuild } from "../models/ds-cnn/build.ts";
import { build as gruBuild } from "../models/gru/build.ts";
import { build as lstmBuild } from "../models/lstm/build.ts";
import { build as mlpBuild } from "../models/mlp/build.ts";
import { build as mobilenetBuild } from "../models/mobilenet/build.ts";
import { build as resnetBuild } from "../models/resnet/build.ts";
import { build as textCnnBuild } from "../models/text-cnn/build.ts";
import { build as transformerBuild } from "../models/transformer/build.ts";
import { load as cifar10Load } from "../datasets/cifar-10/load.ts";
import { load as fashionMnistLoad } from "../datasets/fashion-mnist/load.ts";
import { load as mnistLoad } from "../datasets/mnist/load.ts";
import { load as tinyLoad } from "../datasets/tiny/load.ts";
import { load as udhrLoad } from "../datasets/udhr/load.ts";

export const builders = {
  cnn: cnnBuild,
  "ds-cnn": dsCnnBuild,
  gru: gruBuild,
  lstm: lstmBuild,
  mlp: mlpBuild,
  mobilenet: mobilenetBuild,
  resnet: resnetBuild,
  "text-cnn": textCnnBuild,
  transformer: transformerBuild,
};

export const loaders = {
  "cifar-10": cifar10Load,
  "fashion-mnist": fashionMnistLoad,
  mnist: mnistLoad,
  tiny: tinyLoad,
  udhr: udhrLoad,
};
