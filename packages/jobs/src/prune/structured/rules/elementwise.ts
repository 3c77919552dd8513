import { activated, channelsLast, firstInput, isLastAxis, opaque, type Rule } from "./rule.ts";

/** A layer that treats each channel by itself and has no weights. */
const same: Rule = activated(channelsLast(firstInput));

/** A layer that treats each channel by itself, with one number for each in every one of these weights. */
function perChannel(...weights: string[]): Rule {
  return (use) => {
    if (!isLastAxis(use)) return opaque("its axis is not the last alone");
    const channels = firstInput(use);
    for (const weight of weights) use.bind(weight, 0, channels);
    return channels;
  };
}

/** alpha has the shape of a sample, with 1 along the shared axes. */
const prelu: Rule = (use) => {
  const channels = firstInput(use);
  const shared = [use.config["shared_axes"] ?? []].flat();
  const rank = use.inputShapes[0]?.length ?? 0;
  if (!shared.includes(rank)) use.bind("alpha", rank - 1, channels);
  return channels;
};

const names = [
  "Activation",
  "ReLU",
  "LeakyReLU",
  "ELU",
  "ThresholdedReLU",
  "Dropout",
  "AlphaDropout",
  "GaussianDropout",
  "GaussianNoise",
  "SpatialDropout1D",
  "SpatialDropout2D",
  "MaxPooling1D",
  "MaxPooling2D",
  "MaxPooling3D",
  "AveragePooling1D",
  "AveragePooling2D",
  "AveragePooling3D",
  "GlobalMaxPooling1D",
  "GlobalMaxPooling2D",
  "GlobalAveragePooling1D",
  "GlobalAveragePooling2D",
  "ZeroPadding2D",
  "UpSampling2D",
  "Cropping2D",
  "RepeatVector",
];

export const elementwiseRules: Record<string, Rule> = {
  ...Object.fromEntries(names.map((name) => [name, same])),
  BatchNormalization: perChannel("gamma", "beta", "moving_mean", "moving_variance"),
  LayerNormalization: perChannel("gamma", "beta"),
  PReLU: prelu,
};
