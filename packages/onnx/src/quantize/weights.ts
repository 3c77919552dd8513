import { AppError } from "@whittle/contracts";
import {
  affineParams,
  quantize,
  roundHalfEven,
  symmetricParams,
  type IntegerRange,
  type QuantParams,
} from "./affine.ts";
import { extremesOf } from "./histogram.ts";

export interface WeightScheme {
  /** 1 to 8. */
  bits: number;
  /** `symmetric`: zero point 0. `affine`: Q(x) = round(a x + b) with a zero point of its own. */
  scheme: "symmetric" | "affine";
  /** One scale for the tensor, one for each output channel, or one for every `blockSize` inputs of each output channel. */
  granularity: "tensor" | "channel" | "block";
  blockSize?: number;
}

/** A kernel as a matrix: its output channels are the first axis (Conv) or the last (Gemm, MatMul), everything else its inputs. */
export interface WeightLayout {
  channels: number;
  axis: "first" | "last";
}

export interface QuantizedWeights {
  values: Int8Array;
  /**
   * One of each; or one a channel; or one a block, in the order of the kernel: [channels, blocks] where the channels are its first axis,
   * [blocks, channels] where they are its last.
   */
  scales: Float32Array;
  zeroPoints: Int8Array;
  /** Which of the scales each value has. */
  groups: Int32Array;
  bits: number;
  /** 10 log10(sum w² / sum (w - ŵ)²) in decibels; infinite where nothing is lost. */
  signalToNoise: number;
}

/** Ranges that are tried for fewer than 8 bits, from the whole down to a tenth. */
const SEARCH_STEPS = 45;

/** The levels of `bits` bits inside int8; symmetric ones leave the lowest out, and 1 bit is -1 and 1. */
export function weightRange(bits: number, scheme: WeightScheme["scheme"]): IntegerRange {
  const half = 2 ** (bits - 1);
  if (scheme === "affine") return { qmin: -half, qmax: half - 1 };
  const qmax = Math.max(1, half - 1);
  return { qmin: -qmax, qmax };
}

/** The hot loop of the search for a range: {@link quantize} and {@link dequantize} written out. */
function squaredError(values: Float32Array, { scale, zeroPoint, qmin, qmax }: QuantParams): number {
  const { fround, max, min } = Math;
  let error = 0;
  for (let at = 0; at < values.length; at++) {
    const value = values[at] ?? 0;
    const q = min(qmax, max(qmin, roundHalfEven(fround(value / scale)) + zeroPoint));
    const lost = value - fround(scale * (q - zeroPoint));
    error += lost * lost;
  }
  return error;
}

/**
 * 8 bits cover the whole range. Fewer take the part of it, from a tenth up, that gives the least squared error, because a few large
 * weights would otherwise leave most of the others at zero. 1 bit keeps the signs, with the scale mean|w| that is best in the least
 * squares sense (XNOR-Net, 1603.05279).
 */
function chooseParams(values: Float32Array, { bits, scheme }: WeightScheme): QuantParams {
  const range = weightRange(bits, scheme);
  const { min, max } = extremesOf(values);
  if (bits === 1 && scheme === "symmetric") {
    const used = values.filter((value) => value !== 0);
    const mean = used.reduce((sum, value) => sum + Math.abs(value), 0) / Math.max(1, used.length);
    return symmetricParams(-mean, mean, range);
  }
  const paramsOf = scheme === "affine" ? affineParams : symmetricParams;
  if (bits === 8) return paramsOf(min, max, range);
  let best = paramsOf(min, max, range);
  let least = squaredError(values, best);
  for (let step = 1; step <= SEARCH_STEPS && least > 0; step++) {
    const share = 1 - (0.9 * step) / SEARCH_STEPS;
    const params = paramsOf(min * share, max * share, range);
    const error = squaredError(values, params);
    if (error < least) [best, least] = [params, error];
  }
  return best;
}

/** A channel of zeros takes the tensor's scale: its bias has the step scale_x * scale_w, which should be a small one. */
function paramsOfEmptyChannel(tensor: Float32Array, scheme: WeightScheme): QuantParams {
  const { scale } = chooseParams(tensor, { ...scheme, bits: 8 });
  return { ...weightRange(scheme.bits, scheme.scheme), scale, zeroPoint: 0 };
}

/** 1 bit has two levels and zero: a weight that is not zero keeps its sign. */
function quantizeWeight(value: number, params: QuantParams, { bits, scheme }: WeightScheme): number {
  return bits === 1 && scheme === "symmetric" ? Math.sign(value) : quantize(value, params);
}

/** The input, 0 to K - 1, that an element of a kernel is multiplied with. */
export function inputOf(at: number, length: number, { channels, axis }: WeightLayout): number {
  return axis === "first" ? at % (length / channels) : Math.floor(at / channels);
}

/** The output channel that an element of a kernel belongs to. */
export function channelOf(at: number, length: number, { channels, axis }: WeightLayout): number {
  return axis === "first" ? Math.floor(at / (length / channels)) : at % channels;
}

/** Which scale each element of a kernel has. */
function groupsOf(length: number, layout: WeightLayout, { granularity, blockSize = 32 }: WeightScheme): Int32Array {
  const groups = new Int32Array(length);
  if (granularity === "tensor") return groups;
  const { channels, axis } = layout;
  const blocks = Math.ceil(length / channels / blockSize);
  for (let at = 0; at < length; at++) {
    const channel = channelOf(at, length, layout);
    const block = Math.floor(inputOf(at, length, layout) / blockSize);
    const inBlock = axis === "first" ? channel * blocks + block : block * channels + channel;
    groups[at] = granularity === "channel" ? channel : inBlock;
  }
  return groups;
}

/** The positions of each group's elements. */
function membersOf(groups: Int32Array): number[][] {
  const members: number[][] = [];
  for (const [at, group] of groups.entries()) (members[group] ??= []).push(at);
  return members;
}

function signalToNoise(data: Float32Array, quantized: Omit<QuantizedWeights, "signalToNoise">): number {
  let [signal, noise] = [0, 0];
  for (const [at, value] of dequantizeWeights(quantized).entries()) {
    const weight = data[at] ?? 0;
    signal += weight ** 2;
    noise += (weight - value) ** 2;
  }
  return noise === 0 ? Infinity : 10 * Math.log10(signal / noise);
}

/** The float32 values that quantized weights stand for. */
export function dequantizeWeights({
  values,
  groups,
  scales,
  zeroPoints,
}: Omit<QuantizedWeights, "signalToNoise">): Float32Array {
  return Float32Array.from(values, (value, at) => {
    const group = groups[at] ?? 0;
    return Math.fround((scales[group] ?? 0) * (value - (zeroPoints[group] ?? 0)));
  });
}

/** The same scales and zero points with the values rounded another way. @param data the float weights */
export function withValues(data: Float32Array, quantized: QuantizedWeights, values: Int8Array): QuantizedWeights {
  const changed = { ...quantized, values };
  return { ...changed, signalToNoise: signalToNoise(data, changed) };
}

/** What the scales of a kernel are bound to. */
interface ScaleLimits {
  /** For each channel the least scale with which its bias still fits into int32; not for blocks. */
  minScales?: readonly number[];
  /** The scales themselves, with zero points of 0, instead of those that suit the weights best. */
  scales?: Float32Array | undefined;
}

/**
 * Quantizes a kernel to int8 with at most `bits` bits. Zeros stay exactly zero.
 * @throws AppError `invalid_request` when the number of the given scales is not that of the groups.
 */
export function quantizeWeights(
  data: Float32Array,
  layout: WeightLayout,
  scheme: WeightScheme,
  { minScales = [], scales }: ScaleLimits = {},
): QuantizedWeights {
  const values = new Int8Array(data.length);
  const perTensor = scheme.granularity === "tensor";
  const groups = groupsOf(data.length, layout, scheme);
  const empty = !perTensor && paramsOfEmptyChannel(data, scheme);
  const groupMembers = membersOf(groups);
  if (scales && scales.length !== groupMembers.length) {
    throw new AppError(
      "invalid_request",
      `${scales.length} scales are given for a weight that takes ${groupMembers.length}`,
    );
  }
  const params = groupMembers.map((members, group) => {
    const weights = Float32Array.from(members, (at) => data[at] ?? 0);
    const suiting = () => (empty && weights.every((value) => value === 0) ? empty : chooseParams(weights, scheme));
    const given = scales?.[group];
    const chosen =
      given === undefined ? suiting() : { ...weightRange(scheme.bits, "symmetric"), scale: given, zeroPoint: 0 };
    const least = perTensor ? Math.max(0, ...minScales) : (minScales[group] ?? 0);
    const used = { ...chosen, scale: Math.max(chosen.scale, Math.fround(least)) };
    for (const [at, weight] of weights.entries()) values[members[at] ?? 0] = quantizeWeight(weight, used, scheme);
    return used;
  });
  const quantized = {
    values,
    scales: Float32Array.from(params, (each) => each.scale),
    zeroPoints: Int8Array.from(params, (each) => each.zeroPoint),
    groups,
    bits: scheme.bits,
  };
  return { ...quantized, signalToNoise: signalToNoise(data, quantized) };
}

/** The bias in the accumulator's own unit, so that it is added without a conversion: round(b / (scale_x scale_w)), int32, zero point 0. */
export function quantizeBias(
  bias: Float32Array,
  inputScale: number,
  weightScales: Float32Array,
): { values: Int32Array; scales: Float32Array } {
  const scales = weightScales.map((scale) => inputScale * scale);
  const values = Int32Array.from(bias, (value, c) => {
    const params = { qmin: -(2 ** 31), qmax: 2 ** 31 - 1, scale: scales[c] ?? scales[0] ?? 1, zeroPoint: 0 };
    return quantize(value, params);
  });
  return { values, scales };
}
