import { readFileSync } from "node:fs";
import { nativeBackend } from "./native.ts";

let instructions: boolean | undefined;

/**
 * Whether TensorFlow multiplies bfloat16 well here: on a GPU, or on a processor with AVX-512 or AMX instructions for it. Others
 * are not faster with it, and some of their kernels sum in bfloat16.
 */
export function multipliesBfloat16(): boolean {
  const native = nativeBackend();
  return native !== undefined && (native.isUsingGpuDevice || (instructions ??= listed(readCpuInfo())));
}

/** @param cpuInfo the text of /proc/cpuinfo. */
export function listed(cpuInfo: string): boolean {
  return /^flags\s*:.*\s(avx512_bf16|amx_bf16)(\s|$)/m.test(cpuInfo);
}

function readCpuInfo(): string {
  try {
    return readFileSync("/proc/cpuinfo", "utf8");
  } catch {
    return "";
  }
}
