import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createGpus, findGpus, gpuEnv } from "./gpus.ts";

describe("GPUs", () => {
  it("get one job each before any gets a second", () => {
    const gpus = createGpus(["0", "3"]);
    expect([gpus.take(), gpus.take(), gpus.take()]).toEqual(["0", "3", "0"]);
    gpus.release("3");
    expect(gpus.take()).toBe("3");
  });

  it("are none on a machine without", () => {
    const gpus = createGpus(findGpus(undefined, "/nowhere"));
    expect(gpuEnv(gpus.take())).toEqual({});
  });

  it("are those that CUDA_VISIBLE_DEVICES names, else all that the driver has", async () => {
    expect(findGpus("1, GPU-5f8a")).toEqual(["1", "GPU-5f8a"]);
    expect(findGpus("")).toEqual([]);
    const driver = await mkdtemp(join(tmpdir(), "whittle-gpus-"));
    for (const bus of ["0000:01:00.0", "0000:02:00.0"]) await mkdir(join(driver, bus));
    expect(findGpus(undefined, driver)).toEqual(["0", "1"]);
    await rm(driver, { recursive: true });
  });

  it("are given to a process by its environment", () => {
    expect(gpuEnv("3")).toEqual({ CUDA_VISIBLE_DEVICES: "3", TF_FORCE_GPU_ALLOW_GROWTH: "true" });
  });
});
