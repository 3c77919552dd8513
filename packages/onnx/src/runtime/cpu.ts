import { arch } from "node:os";

/**
 * Whether int8 weights must keep to 7 bits: x86 without VNNI adds pairs of uint8 x int8 products in 16 bits, which saturate beyond
 * (onnxruntime #5849, #14642).
 */
export function needsReducedRange(flags: readonly string[], architecture: string = arch()): boolean {
  return architecture === "x64" && !flags.some((flag) => flag.includes("vnni"));
}
