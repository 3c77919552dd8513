import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { NewJobEvent } from "@whittle/contracts";
import { initEngine, tf } from "@whittle/engine";
import { expect, it } from "vitest";
import { openBench, testJobKind, tinyTraining } from "../testing.ts";

testJobKind("train", { params: tinyTraining, reseeded: { ...tinyTraining, seed: 8 } });

it("goes on from its checkpoint: epochs that an earlier attempt finished are not done again", async () => {
  const bench = await openBench({ base: false });
  try {
    const stop = new AbortController();
    const emit = (event: NewJobEvent) => event.type === "metrics" && event.step === 2 && stop.abort();
    const first = bench.run("train", tinyTraining, { id: "resumed", emit, signal: stop.signal });
    await expect(first).rejects.toMatchObject({ code: "cancelled" });
    const epochs: number[] = [];
    const note = (event: NewJobEvent) => event.type === "metrics" && epochs.push(event.step);
    await bench.run("train", tinyTraining, { id: "resumed", emit: note });
    expect(epochs).toEqual([3]);
  } finally {
    await bench.close();
  }
});

it("goes back to the checkpoint before when the newest can't be read, and starts over without either, and says so", async () => {
  const bench = await openBench({ base: false });
  try {
    const stop = new AbortController();
    let epochs = 0;
    const emit = (event: NewJobEvent) => event.type === "metrics" && ++epochs === 2 && stop.abort();
    const first = bench.run("train", tinyTraining, { id: "torn", emit, signal: stop.signal });
    await expect(first).rejects.toMatchObject({ code: "cancelled" });
    const left = (await readdir(join(bench.folder, "torn"))).toSorted();
    expect(left).toHaveLength(2);
    const lines: string[] = [];
    // On WebAssembly each job says that it makes no SavedModel.
    const isOther = (message: string) => !message.startsWith("the artifact has no SavedModel");
    const note = (event: NewJobEvent) =>
      event.type === "log" && event.level === "warn" && isOther(event.message) && lines.push(event.message);
    const again = async () => (await bench.run("train", tinyTraining, { id: "torn", emit: note })).artifact?.digest;
    await writeFile(join(bench.folder, "torn", left.at(-1) ?? ""), "half a check");
    const digest = await again();
    expect(lines).toEqual([expect.stringMatching(/going back to checkpoint \d+: .*doesn't begin like a checkpoint/)]);
    for (const file of await readdir(join(bench.folder, "torn"))) await writeFile(join(bench.folder, "torn", file), "");
    expect(await again()).toBe(digest);
    expect(lines.at(-1)).toMatch(/starting over/);
    expect(digest).toBe((await bench.run("train", tinyTraining)).artifact?.digest);
  } finally {
    await bench.close();
  }
});

it("names the parameter that does not fit the data, also where only building the model shows it", async () => {
  const bench = await openBench({ base: false });
  try {
    const deep = { ...tinyTraining, family: "cnn", familyParams: { filters: [1, 1, 1, 1] } };
    await expect(bench.run("train", deep)).rejects.toMatchObject({
      code: "invalid_request",
      message: expect.stringMatching(/^params.familyParams.filters: must have at most 3 blocks/),
      issues: [{ path: "params.familyParams.filters" }],
    });
  } finally {
    await bench.close();
  }
});

it("starts over, and says so, when its checkpoint is one of another model", async () => {
  const bench = await openBench({ base: false });
  try {
    const stop = new AbortController();
    const emit = (event: NewJobEvent) => event.type === "metrics" && stop.abort();
    const other = { ...tinyTraining, familyParams: { hidden: [8] } };
    const first = bench.run("train", other, { id: "other", emit, signal: stop.signal });
    await expect(first).rejects.toMatchObject({ code: "cancelled" });
    const lines: string[] = [];
    const note = (event: NewJobEvent) => event.type === "log" && event.level === "warn" && lines.push(event.message);
    const { artifact } = await bench.run("train", tinyTraining, { id: "other", emit: note });
    expect(lines.join()).toMatch(/starting over.*not one of this model/);
    expect(artifact?.digest).toBe((await bench.run("train", tinyTraining)).artifact?.digest);
  } finally {
    await bench.close();
  }
});

it.each([
  [0.1, true, /the weights are those of epoch [123], the best of 3$/],
  [0.1, false, /the weights are those of epoch 3, the last$/],
  [0, true, /the weights are those of epoch 3, the last$/],
])(
  "says which epoch's weights it kept (validationSplit %d, restoreBest %s)",
  async (validationSplit, restoreBest, end) => {
    const bench = await openBench({ base: false });
    try {
      const lines: string[] = [];
      const emit = (event: NewJobEvent) => event.type === "log" && lines.push(event.message);
      await bench.run("train", { ...tinyTraining, validationSplit, restoreBest }, { emit });
      expect(lines).toContainEqual(expect.stringMatching(end));
    } finally {
      await bench.close();
    }
  },
);

it("says that it trains in bfloat16, or why it doesn't", async () => {
  const bench = await openBench({ base: false });
  try {
    const lines: string[] = [];
    const emit = (event: NewJobEvent) => event.type === "log" && lines.push(`${event.level}: ${event.message}`);
    const { metrics } = await bench.run("train", { ...tinyTraining, precision: "mixed_bfloat16" }, { emit });
    const done = /^info: .* steps as one graph each, in mixed_bfloat16 \(/;
    const why = /(the processor has no instructions for it|steps run op by op \(the wasm backend has no graphs\))$/;
    const not = new RegExp(`^warn: trains in float32 and not in mixed_bfloat16: ${why.source}`);
    const told = lines.filter((line) => done.test(line) || not.test(line));
    expect(told).toHaveLength(1);
    // What it was trained in, not what was asked for.
    const precision = done.test(told[0] ?? "") ? "mixed_bfloat16" : "float32";
    expect(metrics["execution"]).toMatchObject({ precision });
  } finally {
    await bench.close();
  }
});

it("names the versions that its bytes depend on", async () => {
  const bench = await openBench();
  try {
    const { versions } = await bench.store.manifest((await bench.store.resolve("tiny-base")).digest);
    const { backend, version } = await initEngine();
    expect(versions).toMatchObject({ node: process.versions.node, tfjs: tf.version.tfjs, [backend]: version });
  } finally {
    await bench.close();
  }
});
