import type { BackendInfo } from "@whittle/contracts";
import { tf } from "@whittle/engine";
import packageJson from "../../package.json" with { type: "json" };

/** The versions that an artifact's bytes may depend on. @param backend what trained it; left out where nothing was trained. */
export function versionsOf(backend?: BackendInfo): Record<string, string> {
  const trained = backend && { tfjs: tf.version.tfjs, [backend.backend]: backend.version };
  return { whittle: packageJson.version, node: process.versions.node, ...trained };
}
