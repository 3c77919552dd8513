import { z } from "zod";

/** The tensor runtime that a worker's children use. */
export const backendInfo = z.object({
  backend: z.enum(["tensorflow", "wasm"]),
  /** TensorFlow's version, or tfjs' where the backend is WASM. */
  version: z.string(),
  gpu: z.boolean(),
  threads: z.int().positive(),
});

/** A worker as it announces itself, renewed every few seconds; it is gone when the announcement lapses. */
export const workerView = z.object({
  id: z.string(),
  host: z.string(),
  pid: z.int(),
  kinds: z.array(z.string()),
  concurrency: z.int().positive(),
  backend: backendInfo,
  /** Data sets that this worker can read. */
  datasets: z.array(z.string()),
  startedAt: z.iso.datetime(),
  draining: z.boolean(),
  jobs: z.array(z.object({ id: z.string(), kind: z.string(), pid: z.int().optional() })),
});

export type BackendInfo = z.infer<typeof backendInfo>;
export type WorkerView = z.infer<typeof workerView>;
