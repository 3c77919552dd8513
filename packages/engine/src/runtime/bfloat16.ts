import { cpuInfo } from "@whittle/contracts";
import { nativeBackend } from "./native.ts";

let instructions: boolean | undefined;

/**
 * Whether TensorFlow multiplies bfloat16 well here: on a GPU, or on a processor with AVX-512 or AMX instructions for it. Others
 * are not faster with it, and some of their kernels sum in bfloat16.
 */
export function multipliesBfloat16(): boolean {
  const native = nativeBackend();
  return native !== undefined && (native.isUsingGpuDevice || (instructions ??= listed(cpuInfo().flags)));
}

/** @param flags the instruction sets of a processor, as `cpuInfo` gives them. */
export function listed(flags: string[]): boolean {
  return flags.includes("avx512_bf16") || flags.includes("amx_bf16");
}
