import { parse, pipelineRequest, type WorkerView } from "@whittle/contracts";
import { catalog } from "@whittle/jobs/catalog";
import { describe, expect, it } from "vitest";
import { chooseRecipe, stageNames } from "./recipe.ts";

function worker(datasets: string[], backend: "tensorflow" | "wasm" = "tensorflow"): WorkerView {
  return {
    id: "w",
    host: "here",
    pid: 1,
    kinds: [],
    concurrency: 1,
    backend: { backend, version: "2.21.0", gpu: false, threads: 2 },
    datasets,
    startedAt: "2025-01-01T00:00:00Z",
    draining: false,
    jobs: [],
  };
}

describe("chooseRecipe", () => {
  it("takes Fashion-MNIST, whole, without a warning", () => {
    const recipe = chooseRecipe([worker(["mnist", "fashion-mnist"]), worker(["fashion-mnist"])]);
    expect(recipe).toMatchObject({ dataset: "fashion-mnist", warnings: [] });
    expect(JSON.stringify(recipe.steps)).not.toContain("limit");
  });

  it("has a step for each stage, which the API takes", () => {
    const { steps } = chooseRecipe([worker(["fashion-mnist"])]);
    expect(steps.map(({ step }) => step)).toEqual([...stageNames]);
    const request = parse(pipelineRequest, { steps }, "The pipeline");
    for (const { kind, params } of request.steps) {
      const schema = catalog[kind]?.params;
      expect(schema?.safeParse(params).error).toBeUndefined();
    }
  });

  it("takes MNIST, loudly, where a worker does not have Fashion-MNIST", () => {
    const recipe = chooseRecipe([worker(["mnist", "fashion-mnist"]), worker(["mnist"])]);
    expect(recipe).toMatchObject({ dataset: "mnist", warnings: [expect.stringContaining("FASHION-MNIST IS MISSING")] });
  });

  it("trains on less, and says so, where a worker has only WebAssembly", () => {
    const { steps, warnings } = chooseRecipe([worker(["fashion-mnist"]), worker(["fashion-mnist"], "wasm")]);
    expect(warnings).toEqual([expect.stringContaining("WebAssembly")]);
    expect(steps[0]?.params).toMatchObject({ limit: { train: 6000 } });
  });

  it("refuses to run without data, and says what to do", () => {
    expect(() => chooseRecipe([worker(["tiny"])])).toThrow(/setup/);
  });
});
