import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "@whittle/contracts";
import { describe, expect, it, vi } from "vitest";
import { resultOf, succeed, untilStopped } from "./rig-jobs.ts";
import { useRig } from "./rig.ts";
import type { Execute } from "./run-job.ts";

const rig = useRig();

describe("cancelling a job", () => {
  it("ends a waiting job at once, and no worker runs it", async () => {
    const id = await rig.submit();
    expect(await rig.queue.cancel(id)).toMatchObject({ state: "cancelled", error: { code: "cancelled" } });
    const execute = vi.fn<Execute>(succeed);
    await rig.work(execute);
    await rig.reaches(await rig.submit(), "completed");
    expect(execute).toHaveBeenCalledTimes(1);
  });

  it("ends a job that waits for its next attempt", async () => {
    const id = await rig.submit();
    await rig.work(async () => Promise.reject(new AppError("unavailable", "not now")));
    await vi.waitFor(async () => expect((await rig.queue.get(id)).attemptsMade).toBe(1));
    expect((await rig.queue.cancel(id)).state).toBe("cancelled");
  });

  it("stops a running job, which is not tried again", async () => {
    const id = await rig.submit();
    const execute = vi.fn<Execute>(untilStopped);
    await rig.work(execute);
    await rig.reaches(id, "running");
    await rig.queue.cancel(id);
    await rig.reaches(id, "cancelled");
    await rig.submit("look");
    await vi.waitFor(() => expect(execute.mock.calls.map(([envelope]) => envelope.id === id)).toEqual([true, false]));
  });

  it("tells a running job why it must stop", async () => {
    const id = await rig.submit();
    const reasons: unknown[] = [];
    await rig.work(async (envelope, handle) => {
      await untilStopped(envelope, handle).catch(() => reasons.push(handle.signal.reason));
      throw new Error("stopped");
    });
    await rig.reaches(id, "running");
    await rig.queue.cancel(id);
    await rig.reaches(id, "cancelled");
    expect(reasons).toEqual(["cancelled"]);
  });

  it("refuses a job that has ended, and does nothing to a cancelled one", async () => {
    const done = await rig.submit();
    await rig.work(succeed);
    await rig.reaches(done, "completed");
    await expect(rig.queue.cancel(done)).rejects.toMatchObject({ code: "conflict" });
    const waiting = await rig.submit("make", 0, { priority: 900 });
    await rig.queue.cancel(waiting).catch(() => {});
    await expect(rig.queue.cancel("nothing")).rejects.toMatchObject({ code: "not_found" });
  });

  it("leaves a job completed whose work was done before it heard of the wish", async () => {
    const id = await rig.submit();
    await rig.work(async (envelope) => {
      await rig.queue.cancel(envelope.id);
      await sleep(50);
      return resultOf(envelope);
    });
    expect((await rig.reaches(id, "completed")).result).toBeDefined();
  });
});

describe("retrying a job", () => {
  it("runs a cancelled job again", async () => {
    const id = await rig.submit();
    await rig.queue.cancel(id);
    expect((await rig.queue.retry(id)).state).toBe("waiting");
    await rig.work(succeed);
    await rig.reaches(id, "completed");
  });

  it("runs a failed job again with all its attempts", async () => {
    const id = await rig.submit();
    let broken = true;
    await rig.work(async (envelope) => {
      if (broken) throw new AppError("corrupt", "broken");
      return resultOf(envelope);
    });
    expect(await rig.reaches(id, "failed")).toMatchObject({
      error: { code: "corrupt", message: "broken" },
      attemptsMade: 1,
    });
    broken = false;
    await rig.queue.retry(id);
    expect(await rig.reaches(id, "completed")).toMatchObject({ attemptsMade: 1 });
    expect(await rig.queue.get(id)).not.toHaveProperty("error");
  });

  it("refuses a job that waits, and one that completed", async () => {
    const id = await rig.submit();
    await expect(rig.queue.retry(id)).rejects.toMatchObject({
      code: "conflict",
      message: expect.stringContaining("has not ended"),
    });
    await rig.work(succeed);
    await rig.reaches(id, "completed");
    await expect(rig.queue.retry(id)).rejects.toMatchObject({
      code: "conflict",
      message: expect.stringContaining("has completed"),
    });
  });
});
