import type { BackendInfo } from "@whittle/contracts";
import { tf } from "@whittle/engine";
import { onnxRuntimeVersion } from "@whittle/onnx/runtime";
import packageJson from "../../package.json" with { type: "json" };

/** The versions that an artifact's bytes may depend on. @param backend what trained it; left out where nothing was trained. */
export function versionsOf(backend?: BackendInfo): Record<string, string> {
  const trained = backend && { tfjs: tf.version.tfjs, [backend.backend]: backend.version };
  const { version: whittle } = packageJson;
  return { whittle, node: process.versions.node, onnxruntime: onnxRuntimeVersion, ...trained };
}
