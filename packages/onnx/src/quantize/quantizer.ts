import { AppError, parse } from "@whittle/contracts";
import { z } from "zod";
import { decodeModel, encodeModel, type OnnxModel } from "../proto/model.ts";
import { elementCount, floatData } from "../proto/tensor.ts";
import { cpuInfo, needsReducedRange } from "../runtime/cpu.ts";
import { fusedOperators } from "../runtime/fused.ts";
import type { QuantParams } from "./affine.ts";
import { correctedBias } from "./bias-correction.ts";
import { checkFolded, checkFused } from "./check-fused.ts";
import { equalizeLayers } from "./equalize.ts";
import { layerName, planQuantization, quantizableLayers, type QuantizationPlan, type QuantizedLayer } from "./plan.ts";
import { storedBits, type PreparedLayer } from "./prepared.ts";
import { convolutionOf, rewriteDynamic } from "./rewrite-dynamic.ts";
import { inputScale, rewriteStatic } from "./rewrite-static.ts";
import { rewriteFloat16, rewriteWeights, runsInBlocks } from "./rewrite-weights.ts";
import { roundAnew, type RoundWeights } from "./rounding.ts";
import { ActivationStatistics, type CalibrationData } from "./statistics.ts";
import { checkStructure } from "./structure.ts";
import { quantizeWeights, type QuantizedWeights, type WeightScheme } from "./weights.ts";

const settings = z
  .object({
    method: z.enum(["static", "dynamic", "weights", "float16"]).default("static"),
    bits: z.int().min(1).max(8).default(8),
    granularity: z.enum(["channel", "tensor", "block"]).default("channel"),
    blockSize: z.union([z.literal(16), z.literal(32), z.literal(64), z.literal(128), z.literal(256)]).default(32),
    scheme: z.enum(["symmetric", "affine"]).default("symmetric"),
    calibrator: z.enum(["minmax", "percentile", "mse", "entropy"]).default("minmax"),
    reduceRange: z.boolean().optional(),
    biasCorrection: z.boolean().default(false),
  })
  .refine(({ bits, scheme }) => bits > 1 || scheme === "symmetric", {
    path: ["bits"],
    error: "must be 2 to 8 with affine weights: of two levels one is zero, so every weight of one sign would be lost",
  })
  .refine(
    ({ granularity, method, scheme }) => granularity !== "block" || (method === "weights" && scheme === "symmetric"),
    {
      path: ["granularity"],
      error: "must be channel or tensor, unless method is weights and scheme symmetric: integer kernels take no blocks",
    },
  );

type Settings = z.output<typeof settings>;

export interface QuantizerOptions extends z.input<typeof settings> {
  /** Bits of single layers, by their names, in the place of `bits`; "float" leaves a layer as it is. */
  layers?: Readonly<Record<string, number | "float">>;
  /** Rounds weights otherwise than to the nearest integer. */
  round?: RoundWeights;
  /** What is known already, as after a quantization-aware training; the rest is found as usual. */
  given?: Partial<Pick<QuantizationParameters, "activations" | "scales">>;
}

/** The numbers that a static quantization goes by. */
export interface QuantizationParameters {
  /** Every activation that becomes uint8, with the one whose scale and zero point it shares, which may be itself. */
  groups: ReadonlyMap<string, string>;
  /** Scale and zero point of each that has its own. */
  activations: ReadonlyMap<string, QuantParams>;
  /** The scales of the weights, by the names of their tensors: one for each output channel, or one in all. */
  scales: ReadonlyMap<string, Float32Array>;
}

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

const INT32_MAX = 2 ** 31 - 1;

/**
 * Quantizes one float model in different ways. What they have in common, the statistics of activations and the quantized weights, is
 * worked out once.
 */
export class Quantizer {
  /** Names of the layers whose weights may be quantized, in the graph's order. */
  readonly layers: readonly string[];
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
    this.layers = quantizableLayers(this.#float.graph).map(layerName);
    if (this.layers.length > 0) return;
    throw new AppError("unsupported", "The model has no convolution or matrix product with constant float32 weights.");
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
    const bitsOf = (layer: QuantizedLayer) => {
      const bits = ofLayer[layerName(layer)] ?? chosen.bits;
      return bits === "float" ? bits : Math.min(bits, most);
    };
    return chosen.method === "float16" ? this.#finishFloat16() : this.#quantizeLayers(chosen, bitsOf, { round, given });
  }

  async #finishFloat16(): Promise<QuantizedModel> {
    const finished = await this.#finish(rewriteFloat16(this.#float));
    checkFolded(finished.fused, await fusedOperators(encodeModel(this.#float)), 0);
    return { ...finished, layers: [], parameters: { groups: new Map(), activations: new Map(), scales: new Map() } };
  }

  async #quantizeLayers(
    chosen: Settings,
    bitsOf: (layer: QuantizedLayer) => number | "float",
    { round, given }: { round: RoundWeights | undefined; given: NonNullable<QuantizerOptions["given"]> },
  ): Promise<QuantizedModel> {
    const layers = quantizableLayers(this.#float.graph).filter((layer) => bitsOf(layer) !== "float");
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
      prepared.push(await this.#prepare(layer, { scheme, minScales, scales }, chosen.biasCorrection, round));
    }
    const finished = await this.#rewrite(chosen, plan, params, prepared);
    const scales = new Map(prepared.map(({ layer, weights }) => [layer.weight.name, weights.scales]));
    const parameters = { groups: plan.activations, activations: params, scales };
    return { ...finished, layers: prepared.map((each) => report(each, chosen)), parameters };
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
    { method, granularity, blockSize }: Settings,
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
    const inBlocks = granularity === "block" ? prepared.filter(runsInBlocks) : [];
    const finished = await this.#finish(
      rewriteWeights(this.#float, prepared, granularity === "block" ? blockSize : undefined),
    );
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
    if (!corrected || layer.node.opType === "MatMul") return { layer, weights, ...(bias && { bias }) };
    const mean = await this.#statistics.mean(layer.node.input[0] ?? "");
    return { layer, weights, bias: await correctedBias(layer, weights, mean) };
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
    const made = round
      ? this.#statistics.gram(layer).then((gram) => roundAnew(layer, data, nearest, scheme, gram, round))
      : Promise.resolve(nearest);
    this.#weights.set(key, made);
    return made;
  }
}

/** For each channel the least weight scale with which the biases of all layers that share the weight fit into int32. */
function leastScales(
  layer: QuantizedLayer,
  plan: QuantizationPlan,
  params: ReadonlyMap<string, QuantParams>,
): number[] {
  const sharing = plan.layers.filter(({ weight }) => weight === layer.weight);
  return Array.from({ length: layer.layout.channels }, (_none, c) =>
    Math.max(
      ...sharing.map((each) => {
        const bias = each.bias ? (floatData(each.bias)[c] ?? 0) : 0;
        return Math.abs(bias) / (inputScale(plan, params, each) * INT32_MAX);
      }),
    ),
  );
}

function refuseConvolutions(layers: readonly QuantizedLayer[]): void {
  const convolution = convolutionOf(layers);
  if (!convolution) return;
  throw new AppError(
    "unsupported",
    `Layer ${layerName({ node: convolution })} is a convolution: ONNX Runtime runs one that is quantized dynamically 4 to 20 times ` +
      "slower than in float32. Use method static, or weights.",
  );
}

function report(prepared: PreparedLayer, { granularity }: Settings): LayerReport {
  const { layer, weights } = prepared;
  return {
    name: layerName(layer),
    operator: layer.node.opType,
    weights: elementCount(layer.weight.dims),
    bits: weights.bits,
    storedBits: granularity === "block" && runsInBlocks(prepared) ? weights.bits : storedBits(weights),
    signalToNoise: weights.signalToNoise,
  };
}
