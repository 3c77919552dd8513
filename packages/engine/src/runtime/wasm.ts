import { getThreadsCount } from "@tensorflow/tfjs-backend-wasm";
import { tf } from "../tf.ts";
import { registerWasmKernels } from "./wasm-kernels/index.ts";

/** Makes WebAssembly the backend. @returns the number of threads that it computes with. */
export async function loadWasm(): Promise<number> {
  await tf.setBackend("wasm");
  await tf.ready();
  registerWasmKernels();
  return threadsOrOne();
}

function threadsOrOne(): number {
  try {
    return Math.max(1, getThreadsCount());
  } catch {
    return 1; // The backend was built without threads.
  }
}
