import { AppError } from "@whittle/contracts";

/** The largest finite float16. */
const LARGEST = 65_504;
const view = new DataView(new ArrayBuffer(4));

/** Rounds bits off the right of an integer, halves to even. */
function shiftRounded(value: number, places: number): number {
  const half = 2 ** (places - 1);
  const rest = value % (2 * half);
  const kept = (value - rest) / (2 * half);
  return rest > half || (rest === half && kept % 2 === 1) ? kept + 1 : kept;
}

/** The bits of the float16 nearest to a float32 whose magnitude is at most 65504; halves go to even. */
function halfBits(value: number): number {
  view.setFloat32(0, value);
  const bits = view.getUint32(0);
  const sign = (bits >>> 16) & 0x80_00;
  const exponent = (bits >>> 23) & 0xff;
  const mantissa = bits & 0x7f_ff_ff;
  // float32 has 23 bits behind the point and bias 127, float16 10 and 15. Rounding up may carry into the exponent, which is right.
  if (exponent >= 113) return sign | (((exponent - 112) << 10) + shiftRounded(mantissa, 13));
  if (exponent < 102) return sign;
  return sign | shiftRounded(mantissa | 0x80_00_00, 126 - exponent);
}

/** Float16 elements as their bits. @throws AppError `unsupported` for values beyond ±65504. */
export function toFloat16(values: Float32Array, name: string): Uint16Array {
  const beyond = values.find((value) => !(Math.abs(value) <= LARGEST));
  if (beyond !== undefined) {
    throw new AppError("unsupported", `${name} holds ${beyond}; float16 goes to ±${LARGEST}. Quantize it to 8 bits.`);
  }
  return Uint16Array.from(values, halfBits);
}
