import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { NewJobEvent } from "@whittle/contracts";
import type { StopReason } from "@whittle/queue";
import pino from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createExecute, type ExecuteOptions } from "./execute.ts";
import { envelopeOf, handleOf } from "./testing/job.ts";

const entry = { path: fileURLToPath(new URL("./testing/child.mjs", import.meta.url)), execArgv: [] };

let workDir: string;
beforeAll(async () => {
  workDir = await mkdtemp(join(tmpdir(), "whittle-worker-"));
});
afterAll(() => rm(workDir, { recursive: true, force: true }));

function start(params: Record<string, unknown>, options: Partial<ExecuteOptions> = {}) {
  const execute = createExecute({
    store: "memory:",
    datasetDirs: [],
    workDir,
    env: process.env,
    graceMs: 60_000,
    drainMs: 60_000,
    limits: { silentMs: 60_000, stallMs: 60_000 },
    log: pino({ level: "silent" }),
    entry,
    ...options,
  });
  const stop = new AbortController();
  const pids: number[] = [];
  let begun: (() => void) | undefined;
  const started = new Promise<void>((resolve) => (begun = resolve));
  const emit = (_event: NewJobEvent): void => begun?.();
  const handle = handleOf({ signal: stop.signal, emit, runsIn: (pid) => pids.push(pid), epoch: 3 });
  const outcome = execute(envelopeOf(params), handle);
  outcome.catch(() => {});
  return { outcome, started, pids, stop: (reason: StopReason) => stop.abort(reason) };
}

describe("the worker's execute", () => {
  it("tells which process runs the job", async () => {
    const job = start({ behaviour: "result", metrics: {} });
    await job.outcome;
    expect(job.pids).toEqual([expect.any(Number)]);
  });

  it("gives the job a folder, and removes it with all that is in it", async () => {
    const { metrics } = await start({ behaviour: "folder" }).outcome;
    expect(metrics).toMatchObject({ wasThere: true, folder: expect.any(String) });
    expect(existsSync(String(metrics["folder"]))).toBe(false);
  });

  it.each(["drain", "lease", "cancelled"] as const)("removes the folder of a stopped job (%s)", async (reason) => {
    const job = start({ behaviour: "polite" }, { drainMs: 10 });
    await job.started;
    expect(existsSync(join(workDir, "j1.3"))).toBe(true);
    job.stop(reason);
    await expect(job.outcome).rejects.toMatchObject({ code: "cancelled" });
    expect(existsSync(join(workDir, "j1.3"))).toBe(false);
  });

  it("asks a cancelled job to end", async () => {
    const job = start({ behaviour: "polite" });
    await job.started;
    job.stop("cancelled");
    await expect(job.outcome).rejects.toMatchObject({ code: "cancelled" });
  });

  it("lets a job finish when the worker only leaves", async () => {
    const job = start({ behaviour: "slow", ms: 300 });
    await job.started;
    job.stop("drain");
    await expect(job.outcome).resolves.toEqual({ metrics: { done: true } });
  });

  it("stops a job that doesn't finish while the worker leaves", async () => {
    const job = start({ behaviour: "polite" }, { drainMs: 50 });
    await job.started;
    job.stop("drain");
    await expect(job.outcome).rejects.toMatchObject({ code: "cancelled" });
  });

  it("kills a job at once when the claim on it is lost, as another worker may have it soon", async () => {
    const job = start({ behaviour: "busy" });
    await job.started;
    job.stop("lease");
    await expect(job.outcome).rejects.toMatchObject({ message: expect.stringContaining("lease") });
  });
});
