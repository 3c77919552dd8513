import { activated, channelsLast, firstInput, type LayerUse, type Rule } from "./rule.ts";

/** A layer whose kernel has inputs along one axis and outputs along another; `size` is the field that counts the outputs. */
function kernel(axes: { inputs: number; outputs: number }, size: string): Rule {
  return activated(
    channelsLast((use) => {
      use.bind("kernel", axes.inputs, firstInput(use));
      return outputsOf(use, { weight: "kernel", axis: axes.outputs, size });
    }),
  );
}

function outputsOf(use: LayerUse, { weight, axis, size }: { weight: string; axis: number; size: string }) {
  const outputs = use.produce(weight, axis);
  use.bind("bias", 0, outputs);
  use.resize(size, outputs);
  return outputs;
}

/** depthwise_kernel [height, width, channels, multiplier]. @returns the channels of what it gives, `multiplier` for each of its input. */
function depthwiseOutputs(use: LayerUse) {
  const inputs = firstInput(use);
  use.bind("depthwise_kernel", 2, inputs);
  const multiplier = Number(use.config["depth_multiplier"] ?? 1);
  return inputs.flatMap((channel) => Array.from({ length: multiplier }, () => channel));
}

const depthwise: Rule = (use) => {
  const outputs = depthwiseOutputs(use);
  use.bind("bias", 0, outputs);
  return outputs;
};

const separable: Rule = (use) => {
  use.bind("pointwise_kernel", 2, depthwiseOutputs(use));
  return outputsOf(use, { weight: "pointwise_kernel", axis: 3, size: "filters" });
};

const embedding: Rule = (use) => {
  const outputs = use.produce("embeddings", 1);
  use.resize("output_dim", outputs);
  return outputs;
};

export const kernelRules: Record<string, Rule> = {
  Dense: kernel({ inputs: 0, outputs: 1 }, "units"),
  Conv1D: kernel({ inputs: 1, outputs: 2 }, "filters"),
  Conv2D: kernel({ inputs: 2, outputs: 3 }, "filters"),
  Conv3D: kernel({ inputs: 3, outputs: 4 }, "filters"),
  Conv2DTranspose: kernel({ inputs: 3, outputs: 2 }, "filters"),
  Conv3DTranspose: kernel({ inputs: 4, outputs: 3 }, "filters"),
  DepthwiseConv2D: activated(channelsLast(depthwise)),
  SeparableConv2D: activated(channelsLast(separable)),
  Embedding: embedding,
};
