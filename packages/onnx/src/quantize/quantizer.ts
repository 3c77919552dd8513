import { AppError, cpuInfo, parse } from "@whittle/contracts";
import { decodeModel, encodeModel, type OnnxModel, type Tensor } from "../proto/model.ts";
import { elementCount, floatData } from "../proto/tensor.ts";
import { needsReducedRange } from "../runtime/cpu.ts";
import { fusedOperators } from "../runtime/fused.ts";
import type { QuantParams } from "./affine.ts";
import { correctedBias } from "./bias-correction.ts";
import { checkFolded, checkFused } from "./check-fused.ts";
import { coverageOf, type Coverage } from "./coverage.ts";
import { equalizeLayers } from "./equalize.ts";
import { leastScales } from "./least-scales.ts";
import {
  isRecurrent,
  layerName,
  planQuantization,
  quantizableLayers,
  type QuantizationPlan,
  type QuantizedLayer,
} from "./plan.ts";
import { runsInBlocks, storedBits, type PreparedLayer } from "./prepared.ts";
import { convolutionOf, rewriteDynamic } from "./rewrite-dynamic.ts";
import { rewriteStatic } from "./rewrite-static.ts";
import { fileBytes, isHalved, rewriteFloat16, rewriteWeights } from "./rewrite-weights.ts";
import { roundAnew, type RoundWeights } from "./rounding.ts";
import { settings, type QuantizationParameters, type QuantizerOptions, type Settings } from "./settings.ts";
import { ActivationStatistics, type CalibrationData } from "./statistics.ts";
import { checkStructure } from "./structure.ts";
import { quantizeWeights, type QuantizedWeights, type WeightScheme } from "./weights.ts";

/** What became of one layer's weights. */
export interface LayerReport {
  name: string;
  operator: string;
  weights: number;
  bits: number;
  /** Bits that a weight takes in the file. */
  storedBits: number;
  /** Of the quantized weights, in decibels. */
  signalToNoise: number;
}

export interface QuantizedModel {
  model: Uint8Array<ArrayBuffer>;
  layers: LayerReport[];
  coverage: Coverage;
  /** Operators of the graph that ONNX Runtime really runs, with their counts. */
  fused: Record<string, number>;
  parameters: QuantizationParameters;
}

/** A rewritten model before what it was made by is told. */
type Finished = Pick<QuantizedModel, "model" | "fused">;

/** The settings of one layer's weights, and what its quantization depends on beside them. */
interface LayerChoice {
  scheme: WeightScheme;
  minScales: number[];
  /** Where they are given. */
  scales: Float32Array | undefined;
}

/** Operators that have a bias of one value for each output channel. */
const biased = new Set(["Conv", "Gemm"]);

/**
 * Quantizes one float model in different ways. What they have in common, the statistics of activations and the quantized weights, is
 * worked out once.
 */
export class Quantizer {
  readonly #float: OnnxModel;
  readonly #statistics: ActivationStatistics;
  readonly #weights = new Map<string, Promise<QuantizedWeights>>();

  /**
   * @param equalize whether to make the ranges of neighbouring layers alike first, see {@link equalizeLayers}
   * @throws AppError `corrupt` when the bytes are not a model, `unsupported` when there is nothing to quantize, `invalid_request` for
   *   calibration data that is not whole samples.
   */
  constructor(model: Uint8Array, calibration: CalibrationData, { equalize = false } = {}) {
    const decoded = decodeModel(model);
    this.#float = equalize ? equalizeLayers(decoded) : decoded;
    this.#statistics = new ActivationStatistics(this.#float, calibration);
    if (this.layersFor("weights").length > 0) return;
    throw new AppError("unsupported", "The model has no convolution or matrix product with constant float32 weights.");
  }

  /** Names of the layers whose weights a method may quantize, in the graph's order; of those that share a weight, the first one's. */
  layersFor(method?: Settings["method"]): string[] {
    return [...this.#ownersOf(method).values()];
  }

  /** The name by which each weight is told which bits it has. */
  #ownersOf(method?: Settings["method"]): Map<Tensor, string> {
    const owners = new Map<Tensor, string>();
    for (const layer of quantizableLayers(this.#float.graph, method)) {
      if (!owners.has(layer.weight)) owners.set(layer.weight, layerName(layer));
    }
    return owners;
  }

  /**
   * Quantizes the model. `static` (QDQ form): uint8 activations with calibrated ranges, int8 weights, int32 biases. `dynamic`: dense
   * layers that quantize what they read as they run. `weights`: integers in the file alone. `float16`: half the bytes, nothing else.
   * On a processor without VNNI the weights of integer kernels keep to 7 bits, see {@link needsReducedRange}.
   * @throws AppError `invalid_request` for settings that make no sense, `unsupported` when no layer is left to quantize, for a method
   *   that the model's layers don't take, or when ONNX Runtime would not run the result as it should.
   */
  async quantize(options: QuantizerOptions = {}): Promise<QuantizedModel> {
    const { layers: ofLayer = {}, round, given = {}, ...rest } = options;
    const chosen = parse(settings, rest, "The quantization");
    const reduced = chosen.reduceRange ?? needsReducedRange(cpuInfo().flags);
    const most = reduced && (chosen.method === "static" || chosen.method === "dynamic") ? 7 : 8;
    const owners = this.#ownersOf(chosen.method);
    const bitsOf = ({ weight }: QuantizedLayer) => {
      const bits = ofLayer[owners.get(weight) ?? ""] ?? chosen.bits;
      return bits === "float" ? bits : Math.min(bits, most);
    };
    return chosen.method === "float16" ? this.#finishFloat16() : this.#quantizeLayers(chosen, bitsOf, { round, given });
  }

  async #finishFloat16(): Promise<QuantizedModel> {
    const finished = await this.#finish(rewriteFloat16(this.#float));
    checkFolded(finished.fused, await fusedOperators(encodeModel(this.#float)), 0);
    const parameters = { groups: new Map(), activations: new Map(), scales: new Map() };
    return { ...finished, layers: [], coverage: coverageOf(this.#float.graph, "float16", isHalved), parameters };
  }

  async #quantizeLayers(
    chosen: Settings,
    bitsOf: (layer: QuantizedLayer) => number | "float",
    { round, given }: { round: RoundWeights | undefined; given: NonNullable<QuantizerOptions["given"]> },
  ): Promise<QuantizedModel> {
    const layers = quantizableLayers(this.#float.graph, chosen.method).filter((layer) => bitsOf(layer) !== "float");
    if (layers.length === 0) throw new AppError("unsupported", "No layer is left to quantize: all of them stay float.");
    if (chosen.method === "dynamic") refuseConvolutions(layers);
    const plan = planQuantization(this.#float.graph, layers);
    const params =
      chosen.method === "static" ? await this.#activationParams(plan, chosen, given) : new Map<string, QuantParams>();
    const prepared: PreparedLayer[] = [];
    for (const layer of layers) {
      const scheme = { ...chosen, bits: Number(bitsOf(layer)) };
      const minScales = chosen.method === "static" ? leastScales(layer, plan, params) : [];
      const scales = given.scales?.get(layer.weight.name);
      const prepare = (choice: WeightScheme) =>
        this.#prepare(layer, { scheme: choice, minScales, scales }, chosen.biasCorrection, round);
      prepared.push(await smallest(scheme, prepare));
    }
    const finished = await this.#rewrite(chosen.method, plan, params, prepared);
    const scales = new Map(prepared.map(({ layer, weights }) => [layer.weight.name, weights.scales]));
    const parameters = { groups: plan.activations, activations: params, scales };
    const taken = new Set<Tensor>(layers.map(({ weight }) => weight));
    const owners = new Set(this.layersFor(chosen.method));
    const reports = prepared.filter(({ layer }) => owners.has(layerName(layer))).map(report);
    const coverage = coverageOf(this.#float.graph, chosen.method, (weight) => taken.has(weight));
    return { ...finished, layers: reports, coverage, parameters };
  }

  /** Scale and zero point of all activations, calibrated where they are not given. */
  async #activationParams(
    { activations }: QuantizationPlan,
    { calibrator }: Settings,
    { activations: given = new Map<string, QuantParams>() }: NonNullable<QuantizerOptions["given"]>,
  ): Promise<ReadonlyMap<string, QuantParams>> {
    const names = [...new Set(activations.values())];
    const missing = names.filter((name) => !given.has(name));
    return new Map([...given, ...(missing.length > 0 ? await this.#statistics.params(missing, calibrator) : [])]);
  }

  async #rewrite(
    method: Settings["method"],
    plan: QuantizationPlan,
    params: ReadonlyMap<string, QuantParams>,
    prepared: readonly PreparedLayer[],
  ): Promise<Finished> {
    const operators = plan.layers.map(({ node }) => node.opType);
    if (method === "static") {
      const finished = await this.#finish(rewriteStatic(this.#float, plan, params, prepared));
      checkFused(operators, finished.fused);
      return finished;
    }
    if (method === "dynamic") {
      const finished = await this.#finish(rewriteDynamic(this.#float, prepared));
      checkFused(
        operators.map(() => "MatMulInteger"),
        finished.fused,
      );
      return finished;
    }
    const inBlocks = prepared.filter(runsInBlocks);
    const finished = await this.#finish(rewriteWeights(this.#float, prepared));
    checkFused(
      inBlocks.map(() => "MatMulNBits"),
      finished.fused,
    );
    checkFolded(finished.fused, await fusedOperators(encodeModel(this.#float)), inBlocks.length);
    return finished;
  }

  async #finish(model: OnnxModel): Promise<Finished> {
    checkStructure(model);
    const bytes = encodeModel(model);
    return { model: bytes, fused: await fusedOperators(bytes) };
  }

  async #prepare(
    layer: QuantizedLayer,
    choice: LayerChoice,
    corrected: boolean,
    round: RoundWeights | undefined,
  ): Promise<PreparedLayer> {
    const weights = await this.#quantizedWeights(layer, choice, round);
    const bias = layer.bias && floatData(layer.bias);
    const { granularity, blockSize } = choice.scheme;
    const prepared = { layer, weights, blockSize: granularity === "block" ? blockSize : undefined };
    if (!corrected || !biased.has(layer.node.opType)) return { ...prepared, ...(bias && { bias }) };
    const mean = await this.#statistics.mean(layer.node.input[0] ?? "");
    return { ...prepared, bias: await correctedBias(layer, weights, mean) };
  }

  #quantizedWeights(
    layer: QuantizedLayer,
    { scheme, minScales, scales }: LayerChoice,
    round: RoundWeights | undefined,
  ): Promise<QuantizedWeights> {
    const { bits, granularity, blockSize } = scheme;
    const how = [
      scheme.scheme,
      bits,
      granularity,
      blockSize,
      round !== undefined,
      ...minScales,
      ...(scales ?? []),
    ].join();
    const key = `${layer.weight.name} ${how}`;
    const known = this.#weights.get(key);
    if (known) return known;
    const data = floatData(layer.weight);
    const nearest = quantizeWeights(data, layer.layout, scheme, { minScales, scales });
    // What a recurrent layer multiplies with its second weight is inside it, where nothing can be learned of it.
    const made =
      round && !isRecurrent(layer.node)
        ? this.#statistics.gram(layer).then((gram) => roundAnew(layer, data, nearest, scheme, gram, round))
        : Promise.resolve(nearest);
    this.#weights.set(key, made);
    return made;
  }
}

/**
 * In blocks a small layer may take more bytes, with their scales and what fills them up, than with 8 bits and one scale a channel, which
 * lose less: then it gets those.
 */
async function smallest(
  scheme: WeightScheme,
  prepare: (scheme: WeightScheme) => Promise<PreparedLayer>,
): Promise<PreparedLayer> {
  const prepared = await prepare(scheme);
  if (scheme.granularity !== "block" || scheme.bits === 8) return prepared;
  const whole = await prepare({ ...scheme, bits: 8, granularity: "channel" });
  return fileBytes(whole) <= fileBytes(prepared) ? whole : prepared;
}

function refuseConvolutions(layers: readonly QuantizedLayer[]): void {
  const convolution = convolutionOf(layers);
  if (!convolution) return;
  throw new AppError(
    "unsupported",
    `Layer ${layerName(convolution)} is a convolution: ONNX Runtime runs one that is quantized dynamically 4 to 20 times ` +
      "slower than in float32. Use method static, or weights.",
  );
}

function report(prepared: PreparedLayer): LayerReport {
  const { layer, weights } = prepared;
  return {
    name: layerName(layer),
    operator: layer.node.opType,
    weights: elementCount(layer.weight.dims),
    bits: weights.bits,
    storedBits: storedBits(prepared),
    signalToNoise: weights.signalToNoise,
  };
}
