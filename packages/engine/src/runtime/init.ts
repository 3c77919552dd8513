import { existsSync } from "node:fs";
import os from "node:os";
import { AppError, type BackendInfo } from "@whittle/contracts";
import { tf } from "../tf.ts";
import { loadNative } from "./native.ts";
import { replacePointwiseFilterGradient } from "./pointwise-filter.ts";
import { loadWasm } from "./wasm.ts";

export interface InitOptions {
  /** Told, in one text, when the slow backend is used and what to do about it. By default the console is. */
  warn?: (message: string) => void;
  /** Multiply-accumulates of the mean product of a training step, where it is known: TensorFlow's threads go by it. */
  macsPerProduct?: number | undefined;
}

/**
 * Multiply-accumulates from which on a second thread gains for two products beside each other, and inside of one (docs/engine.md).
 * Smaller ones take less time than waking it.
 */
const enoughFor = { beside: 8e6, inside: 16e6 };

let ready: Promise<BackendInfo> | undefined;

/**
 * Finds and loads the tensor runtime: native TensorFlow, or WebAssembly with a warning. Call it before any tensor is made;
 * later calls give the first one's answer. `WHITTLE_BACKEND=wasm` forces WebAssembly, `WHITTLE_THREADS` says how
 * many cores TensorFlow may use.
 * @throws AppError `unsupported` when neither backend works.
 */
export function initEngine(options: InitOptions = {}): Promise<BackendInfo> {
  ready ??= start(options);
  return ready;
}

async function start({ warn = console.warn, macsPerProduct }: InitOptions): Promise<BackendInfo> {
  setDefaults(macsPerProduct);
  if (process.env["WHITTLE_BACKEND"] === "wasm") return startWasm();
  try {
    return startNative();
  } catch (error) {
    warn(fallbackWarning(error));
    return startWasm();
  }
}

/** TensorFlow reads these once, when its library is loaded; what the caller has set stays. */
function setDefaults(macsPerProduct: number = enoughFor.beside): void {
  process.env["TF_CPP_MIN_LOG_LEVEL"] ??= "2";
  // More than two cores have not been measured.
  const isBelow = (enough: number) => threads() <= 2 && macsPerProduct < enough;
  process.env["TF_NUM_INTRAOP_THREADS"] ??= isBelow(enoughFor.inside) ? "1" : String(threads());
  // -1: a graph runs on the thread that calls it, which has nobody to wake and to wait for.
  process.env["TF_NUM_INTEROP_THREADS"] ??= isBelow(enoughFor.beside) ? "-1" : String(threads());
  if (!existsSync("/proc/driver/nvidia")) return;
  // On a CPU TensorFlow is repeatable as it is, and XLA refuses some of its kernels under this setting.
  process.env["TF_DETERMINISTIC_OPS"] ??= "1";
  process.env["TF_FORCE_GPU_ALLOW_GROWTH"] ??= "true";
}

/** Those that TensorFlow may keep busy. */
function threads(): number {
  return Number(process.env["WHITTLE_THREADS"]) || os.availableParallelism();
}

function startNative(): BackendInfo {
  const backend = loadNative();
  replacePointwiseFilterGradient();
  checkMatMul();
  return {
    backend: "tensorflow",
    version: backend.binding.TF_Version,
    gpu: backend.isUsingGpuDevice,
    threads: threads(),
  };
}

async function startWasm(): Promise<BackendInfo> {
  try {
    const wasmThreads = await loadWasm();
    checkMatMul();
    return { backend: "wasm", version: tf.version.tfjs, gpu: false, threads: wasmThreads };
  } catch (cause) {
    throw new AppError(
      "unsupported",
      `No tensor backend works on this machine: ${reason(cause)}. Run "npm run setup".`,
      {
        cause,
      },
    );
  }
}

/** A loaded library can still be unusable (another CPU, a missing CUDA part); one product shows it. */
function checkMatMul(): void {
  const product = tf.tidy(() => tf.matMul([[1, 2]], [[3], [4]]).dataSync()[0]);
  if (product !== 11) throw new AppError("unsupported", `[1 2] * [3 4]' gave ${product} instead of 11`);
}

function fallbackWarning(error: unknown): string {
  return [
    "WARNING: native TensorFlow could not be loaded; using the WebAssembly backend, which trains several times slower.",
    `  Reason: ${reason(error)}`,
    '  What to do: run "npm run setup" to build or fetch TensorFlow, then "npm run whittle -- doctor" to check it.',
  ].join("\n");
}

function reason(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).trim().split("\n")[0] ?? "unknown";
}
