import { describe, expect, it } from "vitest";
import { exportOnnx } from "../export/export.ts";
import { decodeModel, encodeModel } from "../proto/model.ts";
import { floatData } from "../proto/tensor.ts";
import { createSession } from "../runtime/session.ts";
import { functional, noise, signature, smallCnn, weight, type TestCall } from "../test-models.ts";
import { equalizeLayers } from "./equalize.ts";
import { Gram } from "./gram.ts";
import { quantizableLayers } from "./plan.ts";
import { quantizeOnnx } from "./quantize.ts";

async function logitsOf(model: Uint8Array, inputs: Float32Array, shape: readonly number[]): Promise<Float32Array> {
  const session = await createSession(model);
  const samples = inputs.length / shape.reduce((product, size) => product * size, 1);
  const results = await session.run({ x: { shape: [samples, ...shape], datatype: "FP32", data: inputs } });
  await session.release();
  return Float32Array.from(results["logits"]?.data ?? [], Number);
}

const largest = (values: Iterable<number>) => [...values].reduce((most, value) => Math.max(most, Math.abs(value)), 0);

/** Conv to 4 channels, depthwise, pool, dense, ReLU between them; the channels differ by powers of ten before the depthwise layer evens them out. */
function unequal() {
  const convolution = { kernel_size: 3, strides: 1, padding: "same", activation: "relu" };
  const calls: TestCall[] = [
    ["Conv2D", "conv", ["in"], convolution],
    ["DepthwiseConv2D", "depthwise", ["conv"], convolution],
    ["MaxPooling2D", "pool", ["depthwise"], { pool_size: 2, strides: 2, padding: "valid" }],
    ["Flatten", "flat", ["pool"]],
    ["Dense", "dense", ["flat"], { units: 3 }],
  ];
  const bySize = (values: Float32Array) => values.map((value, at) => value * 10 ** (1 - (at % 4)));
  return exportOnnx({
    topology: functional([6, 6, 2], calls),
    weights: {
      "conv/kernel": weight([3, 3, 2, 4], bySize(noise(72, 1))),
      "conv/bias": weight([4], bySize(noise(4, 2))),
      "depthwise/depthwise_kernel": weight(
        [3, 3, 4, 1],
        noise(36, 3).map((value, at) => value * 10 ** ((at % 4) - 1)),
      ),
      "depthwise/bias": weight([4], noise(4, 4)),
      "dense/kernel": weight([36, 3], noise(108, 5)),
      "dense/bias": weight([3], noise(3, 6)),
    },
    signature: signature([6, 6, 2], [3]),
  });
}
const images = { inputs: noise(24 * 72, 8), shape: [6, 6, 2] };

describe("cross-layer equalization", () => {
  it("is that worked by hand for two dense layers", () => {
    const model = exportOnnx({
      topology: functional(
        [2],
        [
          ["Dense", "a", ["in"], { units: 2, activation: "relu" }],
          ["Dense", "b", ["a"], { units: 1 }],
        ],
      ),
      // Unit 0: r1 = 8, r2 = 2, s = sqrt(16) / 2 = 2. Unit 1: r1 = 1, r2 = 4, s = sqrt(4) / 4 = 1/2.
      weights: {
        "a/kernel": weight([2, 2], [8, 1, -4, 0.5]),
        "a/bias": weight([2], [6, 3]),
        "b/kernel": weight([2, 1], [2, -4]),
        "b/bias": weight([1], [7]),
      },
      signature: signature([2], [1]),
    });
    const equal = equalizeLayers(decodeModel(model));
    const values = Object.fromEntries(equal.graph.initializer.map((each) => [each.name, [...floatData(each)]]));
    expect(values).toEqual({ "a/kernel": [4, 2, -2, 1], "a/bias": [3, 6], "b/kernel": [4, -2], "b/bias": [7] });
  });

  it("makes the channels of convolutions, depthwise ones and dense layers alike, and changes no output", async () => {
    const before = decodeModel(unequal());
    const after = equalizeLayers(before);
    const expected = await logitsOf(encodeModel(before), images.inputs, images.shape);
    const found = await logitsOf(encodeModel(after), images.inputs, images.shape);
    found.forEach((value, at) => expect(Math.abs(value - (expected[at] ?? 0))).toBeLessThan(1e-4 * largest(expected)));
    const spread = ({ graph }: typeof before) => {
      const kernel = graph.initializer.find(({ name }) => name.startsWith("conv/kernel"))!;
      const ofChannel = [0, 1, 2, 3].map((c) => largest(floatData(kernel).subarray(c * 18, (c + 1) * 18)));
      return Math.max(...ofChannel) / Math.min(...ofChannel);
    };
    expect(spread(before)).toBeGreaterThan(500);
    expect(spread(after)).toBeLessThan(10);
  });

  it("loses less with one scale for a whole weight", async () => {
    const float = await logitsOf(unequal(), images.inputs, images.shape);
    const errors: number[] = [];
    for (const equalize of [true, false]) {
      const { model } = await quantizeOnnx(unequal(), {
        calibration: images,
        granularity: "tensor",
        bits: 6,
        equalize,
      });
      const found = await logitsOf(model, images.inputs, images.shape);
      errors.push(found.reduce((sum, value, at) => sum + (value - (float[at] ?? 0)) ** 2, 0));
    }
    expect(errors[0]).toBeLessThan((errors[1] ?? 0) / 2);
  });
});

describe("bias correction", () => {
  it("gives every output the mean of the float model's again, through a convolution with padding too", async () => {
    const calibration = { inputs: noise(64 * 128, 9).map((value) => value + 0.5), shape: [8, 8, 2] };
    const float = await logitsOf(smallCnn(), calibration.inputs, calibration.shape);
    const shifts: number[] = [];
    for (const biasCorrection of [true, false]) {
      const options = { calibration, method: "weights", bits: 3, biasCorrection } as const;
      const found = await logitsOf(
        (await quantizeOnnx(smallCnn(), options)).model,
        calibration.inputs,
        calibration.shape,
      );
      const means = [0, 1, 2].map((c) =>
        found.reduce((sum, value, at) => (at % 3 === c ? sum + (value - (float[at] ?? 0)) / 64 : sum), 0),
      );
      shifts.push(largest(means));
    }
    expect(shifts[0]).toBeLessThan((shifts[1] ?? 0) / 3);
  });

  it("is b + E[W x] - E[Ŵ x], worked by hand", async () => {
    const model = exportOnnx({
      topology: functional([2], [["Dense", "a", ["in"], { units: 1 }]]),
      weights: { "a/kernel": weight([2, 1], [1, 0.4]), "a/bias": weight([1], [5]) },
      signature: signature([2], [1]),
    });
    const calibration = { inputs: Float32Array.of(1, 2, 3, 4), shape: [2] };
    // 1 bit: both weights become their mean magnitude 0.7. E[x] = [2, 3]: E[W x] = 3.2, E[Ŵ x] = 3.5.
    const options = { calibration, method: "weights", bits: 1, biasCorrection: true } as const;
    const corrected = decodeModel((await quantizeOnnx(model, options)).model);
    const bias = corrected.graph.initializer.find(({ name }) => name.endsWith("/bias"))!;
    expect(floatData(bias)[0]).toBeCloseTo(5 + 3.2 - 3.5, 5);
  });
});

describe("the second moments of a layer's inputs", () => {
  it.each([
    { strides: [1, 1], padding: "same", group: "dense" },
    { strides: [2, 2], padding: "valid", group: "dense" },
    { strides: [1, 1], padding: "same", group: "depthwise" },
  ])("give the mean square of a convolution's output as w G wᵀ: %o", async ({ strides, padding, group }) => {
    const depthwise = group === "depthwise";
    const model = exportOnnx({
      topology: functional(
        [6, 6, 3],
        [
          [
            depthwise ? "DepthwiseConv2D" : "Conv2D",
            "conv",
            ["in"],
            { kernel_size: 3, strides, padding, use_bias: false },
          ],
        ],
      ),
      weights: depthwise
        ? { "conv/depthwise_kernel": weight([3, 3, 3, 1], noise(27, 1)) }
        : { "conv/kernel": weight([3, 3, 3, 3], noise(81, 1)) },
      signature: signature([6, 6, 3], padding === "same" ? [6, 6, 3] : [2, 2, 3]),
    });
    const inputs = noise(4 * 108, 3);
    const [layer] = quantizableLayers(decodeModel(model).graph);
    const gram = new Gram(layer!, 4);
    const channelsFirst = Float32Array.from(inputs, (_v, at) => {
      const [sample, channel, place] = [Math.floor(at / 108), Math.floor(at / 36) % 3, at % 36];
      return inputs[sample * 108 + place * 3 + channel] ?? 0;
    });
    gram.add({ values: channelsFirst, shape: [4, 3, 6, 6] });
    const weights = floatData(layer!.weight);
    const columns = gram.inputs;
    const matrix = gram.matrix();
    const predicted = [0, 1, 2].map((row) => {
      const w = weights.subarray(row * columns, (row + 1) * columns);
      const g = matrix.subarray((depthwise ? row : 0) * columns ** 2);
      return w.reduce((sum, a, i) => sum + w.reduce((inner, b, j) => inner + a * b * (g[i * columns + j] ?? 0), 0), 0);
    });
    const outputs = await logitsOf(model, inputs, [6, 6, 3]);
    const measured = [0, 1, 2].map((row) => {
      const own = outputs.filter((_value, at) => at % 3 === row);
      return own.reduce((sum, value) => sum + value ** 2, 0) / own.length;
    });
    predicted.forEach((value, row) => expect(value / (measured[row] ?? 0)).toBeCloseTo(1, 4));
  });
});
