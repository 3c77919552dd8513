import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { modelWeights } from "../model-io/weights.ts";
import { initEngine } from "../runtime/init.ts";
import { fit } from "./fit.ts";
import { blobs, tinyModel } from "./testing.ts";
import type { FitOptions } from "./types.ts";

beforeAll(() => initEngine());

const settings = {
  epochs: 3,
  batchSize: 16,
  optimizer: { type: "adam", learningRate: 0.03 },
  seed: 7,
} satisfies Partial<FitOptions>;

interface Outcome {
  losses: number[];
  weights: string[];
}

async function here(dropout: number): Promise<Outcome> {
  const model = tinyModel(dropout);
  const { epochs } = await fit(model, { ...blobs(100, 1), ...settings });
  const weights = Object.values(modelWeights(model)).map(({ data }) => Buffer.from(data.buffer).toString("base64"));
  return { losses: epochs.map(({ loss }) => loss), weights };
}

/** The same as {@link here} in a process of its own. */
async function elsewhere(dropout: number, env: Record<string, string> = {}): Promise<Outcome> {
  const code = `
    const { initEngine, fit, modelWeights } = await import("../index.ts");
    const { blobs, tinyModel } = await import("./testing.ts");
    await initEngine();
    const model = tinyModel(${dropout});
    const { epochs } = await fit(model, { ...blobs(100, 1), ...${JSON.stringify(settings)} });
    const weights = Object.values(modelWeights(model)).map(({ data }) => Buffer.from(data.buffer).toString("base64"));
    console.log(JSON.stringify({ losses: epochs.map(({ loss }) => loss), weights }));`;
  const args = ["--import", "tsx", "--input-type=module", "-e", code];
  const options = { cwd: import.meta.dirname, env: { ...process.env, ...env } };
  const { stdout } = await promisify(execFile)(process.execPath, args, options);
  const outcome: Outcome = JSON.parse(stdout);
  return outcome;
}

describe("fit in another process", () => {
  it("gives the same weights, bit for bit", async () => {
    expect(await elsewhere(0.3)).toEqual(await here(0.3));
  });

  it("gives the same losses on WebAssembly, up to rounding", async () => {
    const { losses } = await elsewhere(0, { WHITTLE_BACKEND: "wasm" });
    expect(losses).toEqual((await here(0)).losses.map((loss) => expect.closeTo(loss, 3)));
  });

  it("learns on WebAssembly with dropout, the same each time", async () => {
    const outcome = await elsewhere(0.3, { WHITTLE_BACKEND: "wasm" });
    expect(outcome.losses.at(-1)).toBeLessThan((outcome.losses[0] ?? 0) / 2);
    expect(await elsewhere(0.3, { WHITTLE_BACKEND: "wasm" })).toEqual(outcome);
  });
});
