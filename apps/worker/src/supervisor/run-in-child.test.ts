import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { AppError, type JobEnvelope, type JobResources, type JobResult, type NewJobEvent } from "@whittle/contracts";
import { describe, expect, it } from "vitest";
import { forkGroup } from "./fork.ts";
import { runInChild, type ChildJob } from "./run-in-child.ts";
import { isAlive } from "./testing/is-alive.ts";

const entry = { path: fileURLToPath(new URL("./testing/child.mjs", import.meta.url)), execArgv: [] };

function envelope(params: Record<string, unknown>, timeoutSeconds = 60): JobEnvelope {
  const output = { name: "model" };
  return {
    id: "j1",
    kind: "test",
    params,
    output,
    timeoutSeconds,
    createdAt: "2025-01-01T00:00:00Z",
    submittedBy: "test",
  };
}

interface Run {
  outcome: Promise<JobResult>;
  events: NewJobEvent[];
  pid: number;
  abort(reason: AppError): void;
  /** Resolves when the child has begun. */
  started: Promise<void>;
}

interface Options extends Partial<ChildJob> {
  params?: object;
  timeoutSeconds?: number;
}

function start(behaviour: string, { params, timeoutSeconds, ...options }: Options = {}): Run {
  const events: NewJobEvent[] = [];
  const controller = new AbortController();
  let pid = 0;
  let begun: (() => void) | undefined;
  const started = new Promise<void>((resolve) => (begun = resolve));
  const outcome = runInChild({
    task: {
      envelope: envelope({ behaviour, ...params }, timeoutSeconds),
      epoch: 1,
      checkpoints: [],
      store: "memory:",
      datasetDirs: [],
      workDir: "/nowhere",
    },
    limits: { silentMs: 60_000, stallMs: 60_000 },
    onQuestion: async () => [],
    open: async () => forkGroup(entry, process.env),
    graceMs: () => 200,
    signal: controller.signal,
    onStart: (id) => (pid = id),
    onEvent: (event) => (begun?.(), events.push(event)),
    ...options,
  });
  outcome.catch(() => {});
  return {
    outcome,
    events,
    started,
    abort: (reason) => controller.abort(reason),
    get pid() {
      return pid;
    },
  };
}

describe("runInChild", () => {
  it("gives the result and has no process left", async () => {
    const job = start("result", { params: { metrics: { loss: 0.5 } } });
    await expect(job.outcome).resolves.toEqual({ metrics: { loss: 0.5 } });
    expect(await isAlive(job.pid)).toBe(false);
  });

  it("hands on the child's events in order, without those that are not events", async () => {
    const job = start("events");
    await job.outcome;
    expect(job.events.flatMap((event) => (event.type === "progress" ? [event.fraction] : []))).toEqual([0.5, 1]);
  });

  it("fails with the job's own error", async () => {
    await expect(start("error").outcome).rejects.toMatchObject({ code: "not_found", message: "no model student" });
  });

  it("tells exit code and last words of a process that ended without a result", async () => {
    const error = { code: "worker_lost", message: expect.stringMatching(/exit code 7[^]*the last words/) };
    await expect(start("crash").outcome).rejects.toMatchObject(error);
  });

  it("tells the signal of a process that was killed", async () => {
    await expect(start("killed").outcome).rejects.toMatchObject({
      code: "worker_lost",
      message: expect.stringContaining("SIGKILL"),
    });
  });

  it.each(["heap", "tensorMemory"])("recognises that memory ran out (%s)", async (behaviour) => {
    await expect(start(behaviour).outcome).rejects.toMatchObject({ code: "out_of_memory" });
  });

  it("lets an aborted job end by itself and fails with the reason", async () => {
    const job = start("polite", { graceMs: () => 30_000 });
    await job.started;
    job.abort(new AppError("cancelled", "not wanted any more"));
    await expect(job.outcome).rejects.toMatchObject({ code: "cancelled", message: "not wanted any more" });
    expect(await isAlive(job.pid)).toBe(false);
  });

  it("kills an aborted job that doesn't end in time", async () => {
    const job = start("busy");
    await job.started;
    job.abort(new AppError("cancelled", "not wanted any more"));
    await expect(job.outcome).rejects.toMatchObject({ code: "cancelled" });
    expect(await isAlive(job.pid)).toBe(false);
  });

  it("kills what the job's process started with it", async () => {
    const job = start("parent");
    await expect.poll(() => job.events.length).toBe(2);
    const grandchild = job.events.map((event) => (event.type === "log" ? Number(event.message) : 0)).at(-1) ?? 0;
    expect(await isAlive(grandchild)).toBe(true);
    job.abort(new AppError("cancelled", "not wanted any more"));
    await expect(job.outcome).rejects.toThrow("not wanted");
    await expect.poll(() => isAlive(grandchild)).toBe(false);
  });

  it("stops a job at its time limit", async () => {
    const job = start("busy", { timeoutSeconds: 1 });
    await expect(job.outcome).rejects.toMatchObject({ code: "timeout", message: expect.stringContaining("1 s") });
    expect(await isAlive(job.pid)).toBe(false);
  });

  it("answers what the child asks before it publishes, also with a refusal", async () => {
    const asked: unknown[] = [];
    const job = start("asks", {
      onQuestion: async (question) => {
        asked.push(question);
        if (question.what === "commit") throw new AppError("conflict", "run 1 is not the latest");
        return ["1-1-checkpoint"];
      },
    });
    const refused = { code: "conflict", message: "run 1 is not the latest" };
    await expect(job.outcome).resolves.toEqual({ metrics: { answers: [["1-1-checkpoint"], refused] } });
    expect(asked).toEqual([{ what: "keep", name: "1-3-checkpoint" }, { what: "commit" }]);
  });

  it.runIf(process.platform === "linux")("kills a process that holds more memory than it may", async () => {
    const job = start("hungry", { limits: { memoryBytes: 150e6, silentMs: 60_000, stallMs: 60_000 } });
    const message = expect.stringMatching(/held \d+ bytes of memory, and may hold 150000000/);
    await expect(job.outcome).rejects.toMatchObject({ code: "out_of_memory", message });
    expect(await isAlive(job.pid)).toBe(false);
  });

  it.runIf(process.platform === "linux")("kills a process that hangs: silent, and without using the CPU", async () => {
    const job = start("frozen", { limits: { silentMs: 2000, stallMs: 600_000 } });
    const message = expect.stringContaining("silent and idle for 2 s");
    await expect(job.outcome).rejects.toMatchObject({ code: "worker_lost", message });
    expect(await isAlive(job.pid)).toBe(false);
  });

  it("leaves a silent process alone that is busy, until it has told no progress for too long", async () => {
    const job = start("busy", { limits: { silentMs: 1000, stallMs: 4000 } });
    await expect(job.outcome).rejects.toMatchObject({ code: "timeout", message: expect.stringContaining("4 s") });
  });

  it("tells what the process has used", async () => {
    const used: JobResources[] = [];
    await start("result", { params: { metrics: {} }, onUsage: (resources) => used.push(resources) }).outcome;
    expect(used.at(-1)).toEqual({ cpuSeconds: 1.5, peakRssBytes: 4096 });
  });

  it("starts nothing for a job that was aborted before", async () => {
    const job = start("result", { signal: AbortSignal.abort(new AppError("cancelled", "too late")) });
    await expect(job.outcome).rejects.toMatchObject({ code: "cancelled" });
    expect(job.pid).toBe(0);
  });

  it("ends a job that was aborted while its process was fetched", async () => {
    const stop = new AbortController();
    const open = async () => {
      stop.abort(new AppError("cancelled", "not wanted any more"));
      return forkGroup(entry, process.env);
    };
    const job = start("busy", { open, signal: stop.signal });
    await expect(job.outcome).rejects.toMatchObject({ code: "cancelled", message: "not wanted any more" });
    expect(await isAlive(job.pid)).toBe(false);
  });

  it("gives the child its environment", async () => {
    const env = { ...process.env, TF_NUM_INTRAOP_THREADS: "3" };
    const open = async () => forkGroup(entry, env);
    await expect(start("environment", { open }).outcome).resolves.toEqual({ metrics: { threads: "3" } });
  });
});

describe("forkGroup", () => {
  it.runIf(process.platform === "linux")("leaves no busy child behind when the worker is killed", async () => {
    const path = fileURLToPath(new URL("./testing/worker.ts", import.meta.url));
    const worker = fork(path, [], { execArgv: ["--import", "tsx"] });
    const [message] = await once(worker, "message");
    const pid = Number(message);
    expect(await isAlive(pid)).toBe(true);
    worker.kill("SIGKILL");
    await expect.poll(() => isAlive(pid), { timeout: 5000 }).toBe(false);
  });
});
