import { AppError } from "@whittle/contracts";
import { encodeModel, type OnnxModel } from "../proto/model.ts";
import { DataType, elementCount } from "../proto/tensor.ts";
import { createSession } from "../runtime/session.ts";
import { affineParams, type IntegerRange, type QuantParams } from "./affine.ts";
import { calibrators, type CalibrationMethod } from "./calibrators.ts";
import { Gram } from "./gram.ts";
import { Extremes, Histogram } from "./histogram.ts";
import type { QuantizedLayer } from "./plan.ts";

export interface CalibrationData {
  /** Samples as the model takes them (preprocessed), row-major. */
  inputs: Float32Array;
  /** Shape of one sample, without the batch. */
  shape: readonly number[];
}

/** One tensor of one batch of samples. */
export interface Observed {
  values: Float32Array;
  /** Batch first. */
  shape: readonly number[];
}

/** What activations are quantized to. */
const ACTIVATION_RANGE: IntegerRange = { qmin: 0, qmax: 255 };
const BATCH = 64;

/** The model with the given float tensors as its outputs. */
function withOutputs(model: OnnxModel, names: readonly string[]): OnnxModel {
  const { graph } = model;
  const known = new Map([...graph.output, ...graph.valueInfo].map((info) => [info.name, info]));
  const output = names.map((name) => known.get(name) ?? { name, type: { tensorType: { elemType: DataType.FLOAT } } });
  return { ...model, graph: { ...graph, output } };
}

/**
 * What calibration samples make of a float model's activations. Samples stream through the model in batches; only sums and counts are
 * kept, so the memory does not grow with their number. What has been asked for once is kept.
 */
export class ActivationStatistics {
  readonly #model: OnnxModel;
  readonly #data: CalibrationData;
  readonly #extremes = new Map<string, Extremes>();
  readonly #histograms = new Map<string, Histogram>();
  readonly #means = new Map<string, Observed>();
  readonly #grams = new Map<string, Gram>();

  /** @throws AppError `invalid_request` when the data is not whole samples. */
  constructor(model: OnnxModel, data: CalibrationData) {
    checkCalibration(data);
    this.#model = model;
    this.#data = data;
  }

  get #samples(): number {
    return this.#data.inputs.length / elementCount(this.#data.shape);
  }

  /**
   * Scale and zero point of every named activation. The samples run through the model once for the extremes and, for every method but
   * minmax, once more for histograms.
   * @throws AppError `invalid_request` when an activation is not finite.
   */
  async params(names: readonly string[], method: CalibrationMethod): Promise<Map<string, QuantParams>> {
    await this.#collect(names, this.#extremes, () => new Extremes());
    checkFinite(this.#extremes);
    const empty = (name: string) => new Histogram(this.#extremes.get(name) ?? { min: 0, max: 0 });
    if (method !== "minmax") await this.#collect(names, this.#histograms, empty);
    return new Map(
      names.map((name) => {
        const { min, max } = calibrators[method](this.#histograms.get(name) ?? empty(name), ACTIVATION_RANGE);
        return [name, affineParams(min, max, ACTIVATION_RANGE)];
      }),
    );
  }

  /** The mean of a tensor over the samples, with a batch of 1. */
  async mean(name: string): Promise<Observed> {
    const known = this.#means.get(name);
    if (known) return known;
    let sums = new Float64Array();
    let rest: readonly number[] = [];
    await this.#observe([name], (_name, { values, shape }) => {
      rest = shape.slice(1);
      const size = elementCount(rest);
      if (sums.length === 0) sums = new Float64Array(size);
      for (const [at, value] of values.entries()) sums[at % size] = (sums[at % size] ?? 0) + value;
    });
    const mean = { values: Float32Array.from(sums, (sum) => sum / this.#samples), shape: [1, ...rest] };
    this.#means.set(name, mean);
    return mean;
  }

  /** The second moments of what a layer multiplies its weights with. */
  async gram(layer: QuantizedLayer): Promise<Gram> {
    const key = layer.node.output[0] ?? "";
    const known = this.#grams.get(key);
    if (known) return known;
    const gram = new Gram(layer, this.#samples);
    await this.#observe([layer.node.input[0] ?? ""], (_name, observed) => gram.add(observed));
    this.#grams.set(key, gram);
    return gram;
  }

  async #collect<T extends { add(values: Float32Array): void }>(
    names: readonly string[],
    into: Map<string, T>,
    create: (name: string) => T,
  ): Promise<void> {
    const missing = names.filter((name) => !into.has(name));
    if (missing.length === 0) return;
    for (const name of missing) into.set(name, create(name));
    await this.#observe(missing, (name, { values }) => into.get(name)?.add(values));
  }

  /** Runs the samples through the model and hands on every batch of every named tensor; nothing is kept. */
  async #observe(names: readonly string[], see: (name: string, observed: Observed) => void): Promise<void> {
    const { inputs, shape } = this.#data;
    const inner = names.filter((name) => this.#model.graph.input.every((input) => input.name !== name));
    const outputs = inner.length > 0 ? inner : this.#model.graph.output.map(({ name }) => name);
    const session = await createSession(encodeModel(withOutputs(this.#model, outputs)));
    try {
      const name = session.inputs[0]?.name ?? "";
      const size = elementCount(shape);
      for (let from = 0; from < inputs.length; from += BATCH * size) {
        const data = inputs.subarray(from, from + BATCH * size);
        const fed = [data.length / size, ...shape];
        if (names.includes(name)) see(name, { values: data, shape: fed });
        if (inner.length === 0) continue;
        const results = await session.run({ [name]: { shape: fed, datatype: "FP32", data } });
        for (const [output, value] of Object.entries(results)) {
          if (value.data instanceof Float32Array) see(output, { values: value.data, shape: value.shape });
        }
      }
    } finally {
      await session.release();
    }
  }
}

function checkCalibration({ inputs, shape }: CalibrationData): void {
  const size = elementCount(shape);
  if (inputs.length > 0 && Number.isInteger(inputs.length / size)) return;
  const message = `holds ${inputs.length} values, must hold one or more whole samples of [${shape.join(", ")}] (${size} values)`;
  throw new AppError("invalid_request", `The calibration data is not valid: inputs ${message}.`, {
    issues: [{ path: "calibration.inputs", message }],
  });
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
