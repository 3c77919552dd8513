/** The integers that values are mapped to. */
export interface IntegerRange {
  qmin: number;
  qmax: number;
}

/** r = scale (q - zeroPoint). In the form Q(x) = round(a x + b): a = 1 / scale, b = zeroPoint. */
export interface QuantParams extends IntegerRange {
  /** A float32. */
  scale: number;
  zeroPoint: number;
}

/** The smallest normal float32; scales below it do not survive. */
const TINY = 2 ** -126;

/** Adding it to a float64 below 2^51 leaves no bits for a fraction, and the processor rounds halves to even. */
const ROUNDER = 1.5 * 2 ** 52;

/** Rounds to the nearest integer, halves to the even one, as QuantizeLinear does. */
export function roundHalfEven(x: number): number {
  return x + ROUNDER - ROUNDER;
}

const clamp = (x: number, { qmin, qmax }: IntegerRange) => Math.min(qmax, Math.max(qmin, x));

/**
 * Scale and zero point for reals in [rmin, rmax], which is widened to hold 0 so that 0 is represented exactly:
 * s = (rmax - rmin) / (qmax - qmin), z = round(qmin - rmin / s).
 */
export function affineParams(rmin: number, rmax: number, range: IntegerRange): QuantParams {
  const [low, high] = [Math.min(rmin, 0), Math.max(rmax, 0)];
  const { qmin, qmax } = range;
  const scale = (high - low) / (qmax - qmin);
  if (scale < TINY) return { qmin, qmax, scale: 1, zeroPoint: clamp(0, range) };
  return { qmin, qmax, scale: Math.fround(scale), zeroPoint: clamp(roundHalfEven(qmin - low / scale), range) };
}

/** The same with zero point 0, for a range of integers that is symmetric about it: s = max|r| / qmax. */
export function symmetricParams(rmin: number, rmax: number, { qmin, qmax }: IntegerRange): QuantParams {
  const scale = Math.max(Math.abs(rmin), Math.abs(rmax)) / qmax;
  return { qmin, qmax, scale: scale < TINY ? 1 : Math.fround(scale), zeroPoint: 0 };
}

/** q = clamp(round(x / scale) + zeroPoint), in the float32 arithmetic of QuantizeLinear. */
export function quantize(x: number, params: QuantParams): number {
  return clamp(roundHalfEven(Math.fround(x / params.scale)) + params.zeroPoint, params);
}

/** r = scale (q - zeroPoint), in float32. */
export function dequantize(q: number, { scale, zeroPoint }: QuantParams): number {
  return Math.fround(scale * (q - zeroPoint));
}
