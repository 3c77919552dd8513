import { execFile } from "node:child_process";
import { cp, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { NewJobEvent, StepExecution } from "@whittle/contracts";
import { initEngine } from "@whittle/engine";
import { describe, expect, it } from "vitest";
import { openBench, tinyTraining } from "../testing.ts";
import { describeExecution, executionOf, stepsRun } from "./execution.ts";

const float: StepExecution = { mode: "graph-xla", precision: "float32", reason: "dense" };
const narrow: StepExecution = { mode: "graph", precision: "mixed_bfloat16", reason: "narrow" };

describe("how a training's steps ran", () => {
  it("is one way where all attempts ran alike, whatever reason they give", () => {
    const first = stepsRun([], float, 40);
    const second = stepsRun(first, { ...float, reason: "also dense" }, 90);
    expect(second).toEqual([{ ...float, reason: "also dense", until: 90 }]);
    expect(executionOf(second, float)).toEqual({ ...float, reason: "also dense" });
  });

  it("lists each way with the step that it came to", () => {
    const ran = stepsRun(stepsRun(stepsRun([], float, 40), narrow, 70), float, 90);
    const execution = executionOf(ran, float);
    expect(execution).toEqual({
      ...float,
      earlier: [
        { ...float, until: 40 },
        { ...narrow, until: 70 },
      ],
    });
    expect(describeExecution(execution)).toBe(
      "steps as one graph each, by XLA (dense), up to step 40 as one graph each, by XLA (dense), " +
        "up to step 70 as one graph each, in mixed_bfloat16 (narrow)",
    );
  });

  it("leaves out an attempt without a step, the first or the last", () => {
    expect(stepsRun([], float, 0)).toEqual([]);
    const done = stepsRun([], float, 40);
    expect(executionOf(stepsRun(done, narrow, 40), narrow)).toEqual(float);
  });
});

/** Starts a training on WebAssembly in a process of its own, and stops it in its second epoch. @returns the job's folder. */
async function startElsewhere(): Promise<string> {
  const code = `
    const { openBench, tinyTraining } = await import("../testing.ts");
    const bench = await openBench({ base: false });
    const stop = new AbortController();
    const emit = (event) => event.type === "progress" && event.stage === "epoch 2/3" && stop.abort();
    await bench.run("train", tinyTraining, { id: "stopped", signal: stop.signal, emit }).catch(() => {});
    console.log(bench.folder);`;
  const args = ["--import", "tsx", "--input-type=module", "-e", code];
  const options = { cwd: import.meta.dirname, env: { ...process.env, WHITTLE_BACKEND: "wasm" } };
  const { stdout } = await promisify(execFile)(process.execPath, args, options);
  return stdout.trim();
}

const { backend } = await initEngine();

describe.skipIf(backend !== "tensorflow")("a training that was begun on WebAssembly", () => {
  it("says so where it goes on by TensorFlow: in the log, the job's metrics and the version's record", async () => {
    const folder = await startElsewhere();
    const bench = await openBench({ base: false });
    try {
      await cp(join(folder, "stopped"), join(bench.folder, "moved"), { recursive: true });
      const lines: string[] = [];
      const emit = (event: NewJobEvent) => event.type === "log" && lines.push(`${event.level}: ${event.message}`);
      const { metrics } = await bench.run("train", tinyTraining, { id: "moved", emit });
      const begun = { mode: "eager", precision: "float32", reason: "the wasm backend has no graphs" };
      const until = stepIn(lines, /^info: an earlier attempt left a checkpoint of step (\d+)$/);
      const execution = { mode: "graph", precision: "float32", earlier: [{ ...begun, until }] };
      expect(metrics["execution"]).toMatchObject(execution);
      expect((await bench.store.version("moved", 1)).measurements.execution).toMatchObject(execution);
      const change =
        /^warn: up to here steps op by op \(the wasm backend has no graphs\), from here on steps as one graph/;
      expect(lines).toContainEqual(expect.stringMatching(change));
      expect(lines).toContainEqual(
        expect.stringMatching(new RegExp(`steps as one graph each .*, up to step ${until} op by op`)),
      );
    } finally {
      await bench.close();
      await rm(folder, { recursive: true });
    }
  });
});

function stepIn(lines: string[], pattern: RegExp): number {
  return Number(lines.map((line) => pattern.exec(line)?.[1]).find(Boolean));
}
