import { AppError } from "@whittle/contracts";
import { encodeModel, type OnnxModel } from "../proto/model.ts";
import { valueInfo } from "../proto/node.ts";
import { DataType } from "../proto/tensor.ts";
import { createSession, type Session } from "../runtime/session.ts";
import { affineParams, type IntegerRange, type QuantParams } from "./affine.ts";
import { calibrators, type CalibrationMethod } from "./calibrators.ts";
import { Extremes, Histogram } from "./histogram.ts";

export interface CalibrationData {
  /** Samples as the model takes them (preprocessed), row-major. */
  inputs: Float32Array;
  /** Shape of one sample, without the batch. */
  shape: readonly number[];
}

/** What activations are quantized to. */
const ACTIVATION_RANGE: IntegerRange = { qmin: 0, qmax: 255 };
const BATCH = 64;

/** The model with the given tensors as its outputs. */
function withOutputs(model: OnnxModel, names: readonly string[]): OnnxModel {
  const { graph } = model;
  const known = new Map([...graph.output, ...graph.valueInfo].map((info) => [info.name, info]));
  const output = names.map((name) => known.get(name) ?? valueInfo(name, DataType.FLOAT, []));
  return { ...model, graph: { ...graph, output } };
}

/** Runs the samples through the model and hands on every batch of every tensor; nothing is kept. */
async function observe(
  session: Session,
  { inputs, shape }: CalibrationData,
  see: (name: string, values: Float32Array) => void,
): Promise<void> {
  const [input] = session.inputs;
  const size = shape.reduce((product, each) => product * each, 1);
  for (let from = 0; from < inputs.length; from += BATCH * size) {
    const data = inputs.subarray(from, from + BATCH * size);
    const feed = { shape: [data.length / size, ...shape], datatype: "FP32", data } as const;
    if (input) see(input.name, data);
    const results = await session.run({ [input?.name ?? ""]: feed });
    for (const [name, value] of Object.entries(results)) if (value.data instanceof Float32Array) see(name, value.data);
  }
}

/**
 * Scale and zero point of every named activation, from the values that it takes on the calibration samples. The samples run through the
 * model once for the extremes and, for every method but minmax, once more for histograms.
 * @throws AppError `invalid_request` when an activation is not finite.
 */
export async function calibrate(
  model: OnnxModel,
  names: readonly string[],
  data: CalibrationData,
  method: CalibrationMethod,
): Promise<Map<string, QuantParams>> {
  const inputNames = new Set(model.graph.input.map(({ name }) => name));
  const observed = [
    ...new Set([...names.filter((name) => !inputNames.has(name)), ...model.graph.output.map((o) => o.name)]),
  ];
  const session = await createSession(encodeModel(withOutputs(model, observed)));
  try {
    const extremes = new Map(names.map((name) => [name, new Extremes()]));
    await observe(session, data, (name, values) => extremes.get(name)?.add(values));
    checkFinite(extremes);
    const histograms = new Map([...extremes].map(([name, each]) => [name, new Histogram(each)]));
    if (method !== "minmax") await observe(session, data, (name, values) => histograms.get(name)?.add(values));
    return new Map(
      [...histograms].map(([name, histogram]) => {
        const { min, max } = calibrators[method](histogram, ACTIVATION_RANGE);
        return [name, affineParams(min, max, ACTIVATION_RANGE)];
      }),
    );
  } finally {
    await session.release();
  }
}

function checkFinite(extremes: ReadonlyMap<string, Extremes>): void {
  for (const [name, { min, max }] of extremes) {
    if (Number.isFinite(min) && Number.isFinite(max)) continue;
    throw new AppError(
      "invalid_request",
      `The calibration samples drive ${name} to [${min}, ${max}]; every value must be finite.`,
    );
  }
}
