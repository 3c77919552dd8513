import { AppError, type StoredJobEvent } from "@whittle/contracts";
import { describe, expect, it, vi } from "vitest";
import { resultOf, succeed, untilStopped } from "./rig-jobs.ts";
import { useRig } from "./rig.ts";
import type { Execute } from "./run-job.ts";

const rig = useRig();

function states(events: StoredJobEvent[]): string[] {
  return events.flatMap((event) => (event.type === "state" ? [event.state] : []));
}

describe("a worker", () => {
  it("runs no more jobs at a time than it may, over all kinds", async () => {
    let now = 0;
    let most = 0;
    const ids = await Promise.all(
      ["make", "look", "make", "look", "make", "look"].map((kind) => rig.submit(kind === "make" ? "make" : "look")),
    );
    await rig.work(
      async (envelope) => {
        most = Math.max(most, ++now);
        // On a busy machine the first may otherwise have ended before the second is taken.
        await vi.waitFor(() => expect(most).toBe(2), { timeout: 20_000 });
        await new Promise((resolve) => setTimeout(resolve, 20));
        now--;
        return resultOf(envelope);
      },
      { concurrency: 2 },
    );
    for (const id of ids) await rig.reaches(id, "completed");
    expect(most).toBe(2);
  });

  it("tries a job again after a failure that may pass, and says what it was", async () => {
    const id = await rig.submit();
    let tries = 0;
    await rig.work(async (envelope) => {
      if (++tries === 1) throw new AppError("unavailable", "no space");
      return resultOf(envelope);
    });
    expect(await rig.reaches(id, "completed")).toMatchObject({ attemptsMade: 2 });
    const events = await rig.queue.events(id, { types: ["state"] });
    expect(states(events)).toEqual(["waiting", "running", "waiting", "running", "completed"]);
    expect(events[2]).toMatchObject({ error: { code: "unavailable", message: "no space" } });
  });

  it("gives up after the last attempt", async () => {
    const id = await rig.submit("make", 0, { attempts: 2 });
    await rig.work(async () => Promise.reject(new AppError("unavailable", "away")));
    expect(await rig.reaches(id, "failed")).toMatchObject({ attemptsMade: 2, error: { code: "unavailable" } });
  });

  it("does not try again what can't pass", async () => {
    const execute = vi.fn<Execute>(async () => Promise.reject(new AppError("invalid_request", "no")));
    const id = await rig.submit();
    await rig.work(execute);
    await rig.reaches(id, "failed");
    expect(execute).toHaveBeenCalledTimes(1);
  });
});

describe("a worker that drains", () => {
  it("puts a running job back when it drains, using no attempt, and another worker runs it", async () => {
    const id = await rig.submit();
    const reasons: unknown[] = [];
    const first = await rig.work(async (envelope, handle) => {
      await untilStopped(envelope, handle).catch(() => reasons.push(handle.signal.reason));
      throw new Error("stopped");
    });
    await rig.reaches(id, "running");
    await first.drain();
    expect(reasons).toEqual(["drain"]);
    expect(await rig.queue.get(id)).toMatchObject({ state: "waiting", attemptsMade: 0 });
    await rig.work(succeed);
    expect(await rig.reaches(id, "completed")).toMatchObject({ attemptsMade: 1 });
  });

  it("completes a job that finishes while the worker drains", async () => {
    const id = await rig.submit();
    const worker = await rig.work(async (envelope, handle) => {
      await untilStopped(envelope, handle).catch(() => {});
      return resultOf(envelope);
    });
    await rig.reaches(id, "running");
    await worker.drain();
    expect((await rig.queue.get(id)).state).toBe("completed");
  });
});

describe("a worker that is asked to drain", () => {
  it("gives its jobs back, takes no more, which is told, and stays", async () => {
    const id = await rig.submit();
    const onDrain = vi.fn<() => void>();
    await rig.work(untilStopped, { onDrain });
    await rig.reaches(id, "running");
    const [worker] = await rig.queue.workers();
    expect(await rig.queue.drainWorker(worker?.id ?? "")).toMatchObject({ draining: true });
    expect(await rig.reaches(id, "waiting")).toMatchObject({ drains: 1, attemptsMade: 0 });
    expect(onDrain).toHaveBeenCalledOnce();
    await vi.waitFor(async () => expect(await rig.queue.workers()).toMatchObject([{ draining: true, jobs: [] }]));
    await expect(rig.queue.drainWorker("nobody")).rejects.toMatchObject({ code: "not_found" });
    await rig.work(succeed);
    await rig.reaches(id, "completed");
  });
});

describe("a worker that is watched", () => {
  it("announces itself, its jobs and their processes, and that it leaves", async () => {
    const id = await rig.submit("look");
    const worker = await rig.work(async (envelope, handle) => {
      handle.runsIn(4711);
      return untilStopped(envelope, handle);
    });
    await rig.reaches(id, "running");
    await vi.waitFor(async () =>
      expect(await rig.queue.workers()).toMatchObject([
        { kinds: ["make", "change", "look"], concurrency: 1, draining: false, jobs: [{ id, kind: "look", pid: 4711 }] },
      ]),
    );
    await worker.close();
    expect(await rig.queue.workers()).toEqual([]);
  });

  it("shows a completed job as done, whatever progress it told last", async () => {
    const id = await rig.submit();
    await rig.work(async (_envelope, handle) => {
      handle.emit({ type: "progress", fraction: 0.95, stage: "measuring" });
      return { metrics: {} };
    });
    await vi.waitFor(async () =>
      expect(await rig.queue.get(id)).toMatchObject({
        state: "completed",
        progress: { fraction: 1, stage: "measuring" },
      }),
    );
  });

  it("shows progress, and which worker runs the job", async () => {
    const id = await rig.submit();
    await rig.work(async (envelope, handle) => {
      handle.emit({ type: "progress", fraction: 0.5, stage: "epoch 1" });
      return untilStopped(envelope, handle);
    });
    await vi.waitFor(async () =>
      expect(await rig.queue.get(id)).toMatchObject({
        state: "running",
        progress: { fraction: 0.5, stage: "epoch 1" },
        worker: expect.stringMatching(/^w-/),
      }),
    );
  });
});
