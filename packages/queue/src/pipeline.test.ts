import { AppError, pipelineRequest, type JobEnvelope } from "@whittle/contracts";
import { describe, expect, it, vi } from "vitest";
import { planPipeline } from "./pipeline.ts";
import { catalog, digestOf, resultOf, succeed, untilStopped } from "./rig-jobs.ts";
import { useRig } from "./rig.ts";
import type { Execute } from "./run-job.ts";

const rig = useRig();

/** Fails the named steps, for good. */
function failing(...steps: string[]): Execute {
  return async (envelope) => {
    if (steps.includes(envelope.pipeline?.step ?? "")) throw new AppError("corrupt", "bad weights");
    return resultOf(envelope);
  };
}

const chain = [
  { step: "first", kind: "make" },
  { step: "second", kind: "change", params: { base: "$first" } },
  { step: "third", kind: "change", params: { base: "$second" } },
];
/** Two steps share the first, and the last takes from both. */
const diamond = [
  { step: "last", kind: "change", params: { base: "$left", others: [{ model: "$root" }, { model: "$right" }] } },
  { step: "left", kind: "change", params: { base: "$root" } },
  { step: "right", kind: "change", params: { base: "$root" } },
  { step: "root", kind: "make" },
];

function plan(steps: unknown[]) {
  return planPipeline(catalog, pipelineRequest.parse({ steps }));
}

function issuesOf(steps: unknown[]): unknown {
  try {
    plan(steps);
  } catch (error) {
    return error instanceof AppError ? error.issues : error;
  }
  return [];
}

describe("planning a pipeline", () => {
  it("puts each step after those it takes from", () => {
    expect(plan(diamond).map(({ step }) => step)).toEqual(["root", "left", "right", "last"]);
  });

  it("names every step that is wrong, with its path", () => {
    const steps = [
      { step: "a", kind: "make", params: { value: "x" } },
      { step: "a", kind: "melt" },
      { step: "b", kind: "change", params: { base: "$nowhere" } },
      { step: "c", kind: "look" },
      { step: "d", kind: "change", params: { base: "$c", extra: 1 } },
      { step: "e", kind: "change", params: { others: [{ model: "$a" }, { model: "$nowhere" }] } },
    ];
    expect(issuesOf(steps)).toEqual([
      { path: "steps.1.step", message: "the name a is used twice" },
      { path: "steps.0.params.value", message: expect.stringContaining("number") },
      { path: "steps.1.kind", message: "unknown kind melt; there are change, look, make" },
      { path: "steps.2.params.base", message: "there is no step nowhere; there are a, b, c, d, e" },
      { path: "steps.4.params.extra", message: expect.stringContaining("not known") },
      { path: "steps.4.params.base", message: "step c is of kind look, which makes no model" },
      { path: "steps.5.params.others.1.model", message: "there is no step nowhere; there are a, b, c, d, e" },
    ]);
  });

  it("refuses a cycle", () => {
    const steps = [
      { step: "a", kind: "make" },
      { step: "b", kind: "change", params: { base: "$c" } },
      { step: "c", kind: "change", params: { base: "$b" } },
    ];
    expect(issuesOf(steps)).toEqual([{ path: "steps.1.params", message: expect.stringContaining("cycle") }]);
  });
});

describe("a pipeline", () => {
  it("runs its steps in order, each with the digest of what it takes", async () => {
    const { id, jobs } = await rig.pipeline(diamond);
    const seen: Record<string, JobEnvelope> = {};
    await rig.work(
      async (envelope) => {
        seen[envelope.pipeline?.step ?? ""] = envelope;
        return resultOf(envelope);
      },
      { concurrency: 3 },
    );
    await rig.reaches(jobs["last"], "completed");
    expect((await rig.queue.pipeline(id)).state).toBe("completed");
    expect(seen["last"]?.params).toMatchObject({
      base: digestOf(jobs["left"] ?? ""),
      others: [jobs["root"], jobs["right"]].map((job) => ({ model: digestOf(job ?? "") })),
    });
    expect(seen["left"]?.params["base"]).toBe(digestOf(jobs["root"] ?? ""));
  });

  it("runs steps that only share an input at the same time", async () => {
    const { jobs } = await rig.pipeline(diamond);
    let there = 0;
    await rig.work(
      async (envelope) => {
        if (["left", "right"].includes(envelope.pipeline?.step ?? "")) {
          there++;
          await vi.waitUntil(() => there === 2, { timeout: 10_000 });
        }
        return resultOf(envelope);
      },
      { concurrency: 2 },
    );
    await rig.reaches(jobs["last"], "completed");
    expect(there).toBe(2);
  });

  it("shows which steps wait for others, in the order of the request", async () => {
    const { id, jobs } = await rig.pipeline(diamond);
    const view = await rig.queue.pipeline(id);
    expect(view.state).toBe("waiting");
    expect(view.steps.map(({ step, state }) => [step, state])).toEqual([
      ["last", "blocked"],
      ["left", "blocked"],
      ["right", "blocked"],
      ["root", "waiting"],
    ]);
    expect((await rig.queue.get(jobs["left"] ?? "")).pipeline).toEqual({ id, step: "left" });
  });
});

describe("a pipeline with a step that fails", () => {
  it("fails at once, though nobody works on the kinds behind it", async () => {
    const { id, jobs } = await rig.pipeline(chain);
    await rig.work(failing("first"), { kinds: ["make"] });
    const third = await rig.reaches(jobs["third"], "failed");
    expect(third.error).toMatchObject({ code: "failed_dependency", message: expect.stringContaining("bad weights") });
    const view = await rig.queue.pipeline(id);
    expect(view.state).toBe("failed");
    expect(view.steps.map(({ error }) => error?.code)).toEqual(["corrupt", "failed_dependency", "failed_dependency"]);
    expect(await rig.queue.counts()).toMatchObject({ change: { waiting: 0, blocked: 0, failed: 2 } });
  });

  it("does not fail a step that takes nothing from the failed one", async () => {
    const { jobs } = await rig.pipeline(diamond);
    await rig.work(failing("left"));
    await rig.reaches(jobs["last"], "failed");
    expect(await rig.reaches(jobs["right"], "completed")).toHaveProperty("result");
  });

  it("fails behind a step that is cancelled, waiting or blocked", async () => {
    const waiting = await rig.pipeline(chain);
    await rig.queue.cancel(waiting.jobs["first"] ?? "");
    expect((await rig.queue.pipeline(waiting.id)).steps.map(({ state }) => state)).toEqual([
      "cancelled",
      "failed",
      "failed",
    ]);
    const blocked = await rig.pipeline(chain);
    await rig.queue.cancel(blocked.jobs["second"] ?? "");
    const view = await rig.queue.pipeline(blocked.id);
    expect(view.state).toBe("cancelled");
    expect(view.steps.map(({ state }) => state)).toEqual(["waiting", "cancelled", "failed"]);
    await rig.work(succeed);
    await rig.reaches(blocked.jobs["first"], "completed");
    expect((await rig.queue.get(blocked.jobs["second"] ?? "")).state).toBe("cancelled");
  });

  it("fails behind a running step that is cancelled", async () => {
    const { jobs } = await rig.pipeline(chain);
    await rig.work(untilStopped);
    await rig.reaches(jobs["first"], "running");
    await rig.queue.cancel(jobs["first"] ?? "");
    const third = await rig.reaches(jobs["third"], "failed");
    expect(third.error?.message).toContain("cancelled");
  });

  it("goes on from a failed step that is retried, with the steps that failed because of it", async () => {
    const { id, jobs } = await rig.pipeline(diamond);
    const steps = ["left"];
    await rig.work((envelope, handle) => failing(...steps)(envelope, handle));
    await rig.reaches(jobs["last"], "failed");
    await expect(rig.queue.retry(jobs["last"] ?? "")).rejects.toMatchObject({
      code: "conflict",
      message: expect.stringContaining("step left"),
    });
    steps.length = 0;
    await rig.queue.retry(jobs["left"] ?? "");
    await rig.reaches(jobs["last"], "completed");
    expect((await rig.queue.pipeline(id)).state).toBe("completed");
  });

  it("goes on from a cancelled step that is retried", async () => {
    const { id, jobs } = await rig.pipeline(chain);
    await rig.queue.cancel(jobs["first"] ?? "");
    await rig.queue.retry(jobs["first"] ?? "");
    expect((await rig.queue.pipeline(id)).state).toBe("waiting");
    await rig.work(succeed);
    await rig.reaches(jobs["third"], "completed");
    expect((await rig.queue.pipeline(id)).state).toBe("completed");
  });

  it("goes on when it was cancelled as a whole and its first step is retried", async () => {
    const { id, jobs } = await rig.pipeline(chain);
    await rig.queue.cancelPipeline(id);
    await rig.queue.retry(jobs["first"] ?? "");
    const view = await rig.queue.pipeline(id);
    expect([view.state, ...view.steps.map(({ state }) => state)]).toEqual(["waiting", "waiting", "blocked", "blocked"]);
    await rig.work(succeed);
    await rig.reaches(jobs["third"], "completed");
    expect((await rig.queue.pipeline(id)).state).toBe("completed");
  });

  it("goes on behind the running step it was cancelled with, once all that a step takes is retried", async () => {
    const { id, jobs } = await rig.pipeline(diamond);
    let execute: Execute = async (envelope, handle) =>
      envelope.pipeline?.step === "root" ? resultOf(envelope) : untilStopped(envelope, handle);
    await rig.work((envelope, handle) => execute(envelope, handle), { concurrency: 2 });
    await Promise.all(["left", "right"].map((step) => rig.reaches(jobs[step], "running")));
    await rig.queue.cancelPipeline(id);
    await Promise.all(["left", "right"].map((step) => rig.reaches(jobs[step], "cancelled")));
    execute = succeed;
    await rig.queue.retry(jobs["left"] ?? "");
    await rig.reaches(jobs["left"], "completed");
    expect((await rig.queue.get(jobs["last"] ?? "")).state).toBe("cancelled");
    await rig.queue.retry(jobs["right"] ?? "");
    await rig.reaches(jobs["last"], "completed");
    expect((await rig.queue.pipeline(id)).state).toBe("completed");
  });

  it("leaves alone a step that was cancelled by itself, and what takes from it", async () => {
    const { id, jobs } = await rig.pipeline(chain);
    await rig.queue.cancel(jobs["second"] ?? "");
    await rig.queue.cancelPipeline(id);
    await rig.queue.retry(jobs["first"] ?? "");
    const { state, steps } = await rig.queue.pipeline(id);
    expect([state, ...steps.map((step) => step.state)]).toEqual(["cancelled", "waiting", "cancelled", "failed"]);
    await rig.work(succeed);
    await rig.reaches(jobs["first"], "completed");
    await rig.queue.retry(jobs["second"] ?? "");
    await rig.reaches(jobs["third"], "completed");
    expect((await rig.queue.pipeline(id)).state).toBe("completed");
  });

  it("refuses to run a step whose input has published nothing", async () => {
    const { jobs } = await rig.pipeline(chain);
    const execute = vi.fn<Execute>(async () => ({ metrics: {} }));
    await rig.work(execute);
    expect((await rig.reaches(jobs["second"], "failed")).error?.code).toBe("failed_dependency");
    expect(execute).toHaveBeenCalledTimes(1);
  });
});
