import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { JobResult } from "@whittle/contracts";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createExecute } from "./execute.ts";
import { createSpare, type Spare, type SpareOptions } from "./spare.ts";
import { isAlive } from "./testing/is-alive.ts";
import { envelopeOf, handleOf } from "./testing/job.ts";
import { logged, type Logged } from "./testing/logged.ts";

const entry = { path: fileURLToPath(new URL("./testing/child.mjs", import.meta.url)), execArgv: [] };

let workDir: string;
let spare: Spare;
let logs: Logged;
beforeEach(async () => {
  workDir = await mkdtemp(join(tmpdir(), "whittle-spare-"));
  open();
});
afterEach(async () => {
  spare.close();
  await rm(workDir, { recursive: true, force: true });
});

function open(options: Partial<SpareOptions> = {}): void {
  logs = logged();
  spare = createSpare({ entry, env: process.env, log: logs.log, answerMs: 300, ...options });
}

/** Spares that were started, oldest first. */
function started(): number[] {
  return logs.lines.flatMap(({ msg, child }) => (msg === "spare process started" ? [child ?? 0] : []));
}

/** Starts a spare and gives it time to load. */
async function prepare(): Promise<number> {
  spare.prepare();
  await sleep(500);
  return started().at(-1) ?? 0;
}

function run(params: Record<string, unknown>): { outcome: Promise<JobResult>; pids: number[]; stop: AbortController } {
  const limits = { silentMs: 60_000, stallMs: 60_000 };
  const execute = createExecute({
    store: "memory:",
    datasetDirs: [],
    workDir,
    env: process.env,
    graceMs: 5000,
    drainMs: 5000,
    limits,
    log: logs.log,
    entry,
    spare,
  });
  const stop = new AbortController();
  const pids: number[] = [];
  const handle = handleOf({ signal: stop.signal, runsIn: (pid) => pids.push(pid) });
  const outcome = execute(envelopeOf(params), handle);
  outcome.catch(() => {});
  return { outcome, pids, stop };
}

const result = { behaviour: "result", metrics: { loss: 0.5 } };

describe("the spare process", () => {
  it("runs the next job", async () => {
    const pid = await prepare();
    const job = run(result);
    await expect(job.outcome).resolves.toEqual({ metrics: { loss: 0.5 } });
    expect(job.pids).toEqual([pid]);
  });

  it("runs the next job also when it has just been started", async () => {
    spare.prepare();
    const job = run(result);
    await job.outcome;
    expect(job.pids).toEqual([started()[0]]);
  });

  it("runs one of two jobs that start together", async () => {
    const pid = await prepare();
    const jobs = [run(result), run(result)];
    await Promise.all(jobs.map(({ outcome }) => outcome));
    expect(jobs[0]?.pids).toEqual([pid]);
    expect(jobs[1]?.pids).not.toEqual([pid]);
  });

  it("is followed by another when the job has told progress, and by none before", async () => {
    await prepare();
    const job = run({ behaviour: "polite" });
    await sleep(500);
    expect(started()).toHaveLength(1);
    const other = run({ behaviour: "progress" });
    await vi.waitFor(() => expect(started()).toHaveLength(2), { timeout: 20_000 });
    expect(job.pids.concat(other.pids)).not.toContain(started()[1]);
    for (const { stop, outcome } of [job, other]) {
      stop.abort("cancelled");
      await expect(outcome).rejects.toMatchObject({ code: "cancelled" });
    }
    expect(started()).toHaveLength(2);
  });

  it("that has died costs the next job nothing, and is told", async () => {
    process.kill(await prepare(), "SIGKILL");
    const told = { msg: "the spare process has died", signal: "SIGKILL" };
    await vi.waitFor(() => expect(logs.lines.at(-1)).toMatchObject(told), { timeout: 20_000 });
    await expect(run(result).outcome).resolves.toEqual({ metrics: { loss: 0.5 } });
  });

  it("that is killed in the moment when a job comes costs it nothing", async () => {
    const pid = await prepare();
    process.kill(pid, "SIGKILL");
    const job = run(result);
    await expect(job.outcome).resolves.toEqual({ metrics: { loss: 0.5 } });
    expect(job.pids).not.toContain(pid);
  });

  it("that is frozen is killed when it should take a job, and the job runs in another", async () => {
    const pid = await prepare();
    process.kill(pid, "SIGSTOP");
    const job = run(result);
    await expect(job.outcome).resolves.toEqual({ metrics: { loss: 0.5 } });
    expect(job.pids).not.toContain(pid);
    await vi.waitFor(async () => expect(await isAlive(pid)).toBe(false), { timeout: 20_000 });
  });

  it("that does not come to an end of loading is killed", async () => {
    open({ loadMs: 1000 });
    spare.prepare();
    const [pid = 0] = started();
    process.kill(pid, "SIGSTOP");
    await vi.waitFor(async () => expect(await isAlive(pid)).toBe(false), { timeout: 20_000 });
    expect(logs.lines.at(-1)?.msg).toMatch(/not loaded what jobs need in 1 s/);
    expect(await spare.take()).toBeUndefined();
  });

  it("is killed when its worker takes no more jobs, and none follows", async () => {
    const pid = await prepare();
    spare.close();
    await vi.waitFor(async () => expect(await isAlive(pid)).toBe(false), { timeout: 20_000 });
    spare.prepare();
    expect(started()).toEqual([pid]);
  });

  it("that can't be started is told", async () => {
    open({ env: { PATH: "" }, entry: { path: join(workDir, "missing.mjs"), execArgv: [] } });
    spare.prepare();
    await vi.waitFor(() => expect(logs.lines.at(-1)?.msg).toMatch(/has died/), { timeout: 20_000 });
  });

  it.runIf(process.platform === "linux")("dies with its worker, even when it is frozen", async () => {
    const path = fileURLToPath(new URL("./testing/spare-worker.ts", import.meta.url));
    const worker = fork(path, [], { execArgv: ["--import", "tsx"] });
    const [message] = await once(worker, "message");
    const pid = Number(message);
    await sleep(500);
    process.kill(pid, "SIGSTOP");
    expect(await isAlive(pid)).toBe(true);
    worker.kill("SIGKILL");
    await vi.waitFor(async () => expect(await isAlive(pid)).toBe(false), { timeout: 20_000 });
  });
});
