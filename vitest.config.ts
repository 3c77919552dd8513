import { defineConfig } from "vitest/config";
import { hasTensorFlow } from "./scripts/lib/tensorflow.ts";

export default defineConfig({
  test: {
    include: ["packages/*/src/**/*.test.ts", "apps/*/src/**/*.test.ts", "scripts/**/*.test.ts", "test/**/*.test.ts"],
    tags: [
      {
        name: "tensorflow",
        description: "Needs native TensorFlow; skipped where it isn't there or WHITTLE_BACKEND is wasm.",
        skip: !hasTensorFlow(),
      },
    ],
    // Native TensorFlow can't be loaded in worker threads, and each file gets its own process so that none sees another's tensors.
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
