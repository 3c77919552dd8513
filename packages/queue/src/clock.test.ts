import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { AppError } from "@whittle/contracts";
import { afterEach, describe, expect, it, vi } from "vitest";
import { workerConnection } from "./connection.ts";
import { makeKeys } from "./keys.ts";
import { succeed } from "./rig-jobs.ts";
import { useRig } from "./rig.ts";

const rig = useRig();
const waiting = { timeout: 20_000 };
const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

/** Starts a worker on a host whose clock is ahead, and waits until it can be seen. */
async function workAhead(seconds: number, ...how: "fail"[]): Promise<() => Promise<void>> {
  const file = fileURLToPath(new URL("skewed.fixture.ts", import.meta.url));
  const args = ["--import", "tsx", file, rig.redis.url, rig.prefix, String(seconds), ...how];
  const child = spawn(process.execPath, args, { stdio: "inherit" });
  const stop = async (): Promise<void> => void (child.kill("SIGKILL") && (await once(child, "exit")));
  stops.push(stop);
  await vi.waitFor(async () => expect(await ids()).toContain(`ahead by ${seconds}`), waiting);
  return stop;
}

async function ids(): Promise<string[]> {
  return (await rig.queue.workers()).map(({ id }) => id);
}

const fails = (): Promise<never> => Promise.reject(new AppError("unavailable", "not here"));

describe("on hosts whose clocks differ by minutes", () => {
  it("workers are seen for as long as they are there", async () => {
    await workAhead(-300);
    await workAhead(300);
    expect(await ids()).toEqual(["ahead by -300", "ahead by 300"]);
  });

  it("a job that failed where the clock is ahead is run elsewhere after its pause, which is not longer than ever", async () => {
    const stop = await workAhead(300, "fail");
    const id = await rig.submit("make", 0, { attempts: 9 });
    await vi.waitFor(
      async () => expect(await rig.queue.get(id)).toMatchObject({ state: "waiting", attemptsMade: 1 }),
      waiting,
    );
    await stop();
    await rig.work(succeed);
    await rig.reaches(id, "completed");
  });

  it("nor is it when that worker dies before it has set the pause right", async () => {
    const worker = await rig.work(fails);
    const id = await rig.submit("make", 0, { attempts: 9 });
    const redis = workerConnection(rig.redis.url);
    const delayed = `${makeKeys(rig.prefix).bull}:make:delayed`;
    try {
      // The third pause is long enough for the worker to leave in it.
      await vi.waitFor(async () => expect((await rig.queue.get(id)).attemptsMade).toBe(3), waiting);
      await vi.waitFor(async () => expect(await redis.zcard(delayed)).toBe(1), waiting);
      await worker.close();
      await redis.zadd(delayed, "XX", (Date.now() + 300_000) * 4096, id);
      expect(await redis.zcard(delayed)).toBe(1);
      await rig.work(succeed);
      await rig.reaches(id, "completed");
    } finally {
      redis.disconnect();
    }
  });

  it("a job that failed is run where the clock is behind after its pause, which is not longer than ever", async () => {
    const worker = await rig.work(fails);
    const id = await rig.submit("make", 0, { attempts: 9 });
    await vi.waitFor(
      async () => expect(await rig.queue.get(id)).toMatchObject({ state: "waiting", attemptsMade: 1 }),
      waiting,
    );
    await worker.close();
    await workAhead(-300);
    await rig.reaches(id, "completed");
  });
});
