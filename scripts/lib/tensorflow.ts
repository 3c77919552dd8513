import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const binding = fileURLToPath(
  new URL("../../node_modules/@tensorflow/tfjs-node-gpu/lib/napi-v8/tfjs_binding.node", import.meta.url),
);

/**
 * Whether native TensorFlow is there, loads, and isn't switched off; found out in a process of its own that does nothing else.
 * Without it, tests with the tag `tensorflow` are skipped.
 */
export function hasTensorFlow(env: NodeJS.ProcessEnv = process.env, file = binding): boolean {
  if (env["WHITTLE_BACKEND"] === "wasm") return false;
  return spawnSync(process.execPath, ["-e", "require(process.argv[1])", file], { stdio: "ignore", env }).status === 0;
}

/** The line that says loudly that tests were skipped, and what to do. */
export function describeSkipped(skipped: number): string {
  return (
    `MISS TensorFlow     ${skipped} TESTS WERE SKIPPED, those that need native TensorFlow among them: it isn't there, or WHITTLE_BACKEND ` +
    "is wasm. What ran, ran on WebAssembly. `npm run setup` says why and what to do"
  );
}
