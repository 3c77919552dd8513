import { readdirSync } from "node:fs";

/** Shares this machine's GPUs out among the jobs that run at a time. */
export interface Gpus {
  /** The GPU with the fewest jobs; undefined where there is none. Give it back with {@link Gpus.release}. */
  take(): string | undefined;
  release(gpu: string | undefined): void;
}

export function createGpus(ids: string[]): Gpus {
  const jobs = new Map(ids.map((id) => [id, 0]));
  const add = (gpu: string, change: number) => jobs.set(gpu, (jobs.get(gpu) ?? 0) + change);
  return {
    take: () => {
      const [least] = [...jobs].toSorted(([, a], [, b]) => a - b)[0] ?? [];
      if (least !== undefined) add(least, 1);
      return least;
    },
    release: (gpu) => {
      if (gpu !== undefined) add(gpu, -1);
    },
  };
}

/** The GPUs that this process may use: those of CUDA_VISIBLE_DEVICES, else all that NVIDIA's driver has. */
export function findGpus(visible: string | undefined, driver = "/proc/driver/nvidia/gpus"): string[] {
  if (visible !== undefined) return visible.split(",").flatMap((id) => (id.trim() === "" ? [] : [id.trim()]));
  try {
    return readdirSync(driver).map((_folder, at) => String(at));
  } catch {
    return [];
  }
}

/** What TensorFlow needs to be told so that it uses one GPU and takes of its memory only what it needs. */
export function gpuEnv(gpu: string | undefined): Record<string, string> {
  return gpu === undefined ? {} : { CUDA_VISIBLE_DEVICES: gpu, TF_FORCE_GPU_ALLOW_GROWTH: "true" };
}
