import { z } from "zod";
import { defineFamily } from "../../contracts.ts";
import { images } from "../../samples.ts";

const stage = z.strictObject({
  expansion: z
    .int()
    .min(1, "expansion must be at least 1")
    .max(16, "expansion must be at most 16")
    .default(6)
    .meta({ description: "How many times as many channels a block has inside as it takes." }),
  filters: z
    .int()
    .min(1, "filters must be at least 1")
    .max(4096, "filters must be at most 4096")
    .meta({ description: "Channels that a block gives, before width." }),
  blocks: z.int().min(1, "blocks must be at least 1").max(16, "blocks must be at most 16").default(1),
  stride: z
    .union([z.literal(1), z.literal(2)], { error: "stride must be 1 or 2" })
    .default(1)
    .meta({ description: "2 halves height and width in the first block." }),
});

/** Table 2 of the paper, with halvings for images of about 32 x 32 instead of 224 x 224. */
const smallImages: z.input<typeof stage>[] = [
  { expansion: 1, filters: 16, blocks: 1, stride: 1 },
  { expansion: 6, filters: 24, blocks: 2, stride: 1 },
  { expansion: 6, filters: 32, blocks: 3, stride: 2 },
  { expansion: 6, filters: 64, blocks: 4, stride: 2 },
  { expansion: 6, filters: 96, blocks: 3, stride: 1 },
  { expansion: 6, filters: 160, blocks: 3, stride: 2 },
  { expansion: 6, filters: 320, blocks: 1, stride: 1 },
];

export const family = defineFamily({
  name: "mobilenet",
  title: "MobileNetV2",
  description:
    "Inverted residual blocks (Sandler et al., 1801.04381): few channels between the blocks, many inside, where each has a filter of its own. " +
    "For images [height, width, channels], by default of about 32 x 32.",
  params: z.strictObject({
    width: z
      .number()
      .min(0.05, "width must be at least 0.05")
      .max(4, "width must be at most 4")
      .default(0.5)
      .meta({ description: "Multiplies the channels of every stage; 1 gives the paper's network." }),
    stages: z
      .array(stage)
      .min(1, "stages must have at least 1 stage")
      .max(16, "stages must have at most 16 stages")
      .default(smallImages.map((each) => stage.parse(each)))
      .meta({ description: "Stages of blocks, each with its expansion, filters, blocks and stride." }),
    features: z
      .int()
      .min(1, "features must be at least 1")
      .max(8192, "features must be at most 8192")
      .default(1280)
      .meta({ description: "Channels of the last convolution, which only a width above 1 multiplies." }),
    dropout: z
      .number()
      .min(0, "dropout must be at least 0")
      .max(0.9, "dropout must be at most 0.9")
      .default(0.2)
      .meta({ description: "Share of the features before the logits that is left out at a training step." }),
  }),
  takes: images,
  examples: [
    {
      params: {
        width: 0.25,
        stages: [
          { filters: 16, expansion: 1, stride: 2 },
          { filters: 32, expansion: 2, blocks: 2 },
        ],
        features: 32,
      },
      inputShape: [8, 8, 1],
    },
  ],
});
