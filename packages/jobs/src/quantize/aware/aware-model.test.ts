import { initEngine, modelWeights, predict, tf } from "@whittle/engine";
import { exportTraced, Quantizer } from "@whittle/onnx";
import { classify, createSession } from "@whittle/onnx/runtime";
import { beforeAll, describe, expect, it } from "vitest";
import { foldBatchNorms } from "../../shared/network/fold-batch-norm.ts";
import { networkOf, separateActivations, topologyOf } from "../../shared/network/network.ts";
import { inputShape, meanDifference, normalizedModels } from "../../shared/network/testing.ts";
import { createAwareModel } from "./aware-model.ts";

const spec = (name: string, shape: number[]) => [{ name, datatype: "FP32" as const, shape: [-1, ...shape] }];
const signature = { inputs: spec("input", inputShape), outputs: spec("logits", [3]) };
const bits = 4;
const options = { bits, reduceRange: false };

async function awareOf({ model, x }: ReturnType<(typeof normalizedModels)[number]["build"]>) {
  const network = separateActivations(foldBatchNorms(networkOf(model)));
  const graph = exportTraced({ topology: topologyOf(network), weights: network.weights, signature });
  const calibration = { inputs: Float32Array.from(x.dataSync()), shape: inputShape };
  const { parameters } = await new Quantizer(graph.model, calibration).quantize(options);
  const aware = await createAwareModel(network, { tensors: graph.tensors, parameters, bits, learned: true });
  return { network, calibration, aware, parameters };
}

describe.each(normalizedModels)("a $name with fake quantization", ({ build }) => {
  beforeAll(() => initEngine());

  it("answers as the integers do, but for sums on the edge between two", async () => {
    const { model, x } = build();
    const { network, calibration, aware } = await awareOf({ model, x });
    const { weights, given } = aware.finish();
    const rounded = exportTraced({ topology: topologyOf(network), weights, signature });
    const quantized = await new Quantizer(rounded.model, calibration).quantize({ ...options, given });
    const session = await createSession(quantized.model);
    const { logits } = await classify(session, calibration.inputs, inputShape, 64);
    await session.release();
    const integers = tf.tensor(logits, [64, 3]);
    const lost = meanDifference(predict(model, x), integers);
    expect(meanDifference(predict(aware.model, x), integers)).toBeLessThan(lost / 8);
    expect(Object.keys(weights).toSorted()).toEqual(Object.keys(network.weights).toSorted());
  });
});

describe("the biases of a network with fake quantization", () => {
  beforeAll(() => initEngine());

  it("are multiples of the input's step times the weights', in training as after it", async () => {
    const [cnn] = normalizedModels;
    const { aware, parameters } = await awareOf(cnn!.build());
    const step = parameters.activations.get("input")?.scale ?? Number.NaN;
    const scales = parameters.scales.get("conv1/kernel") ?? new Float32Array();
    const before = modelWeights(aware.model)["conv1/bias"]?.data ?? new Float32Array();
    const rounded = tf.tidy(() => aware.reparametrize("conv1/bias", tf.tensor1d(before)).dataSync());
    expect(rounded).not.toEqual(before);
    for (const [at, value] of rounded.entries()) {
      const unit = step * (scales[at] ?? Number.NaN);
      expect(value).toBeCloseTo(unit * Math.round((before[at] ?? 0) / unit), 5);
    }
    expect(aware.finish().weights["conv1/bias"]?.data).toEqual(Float32Array.from(rounded));
  });
});
