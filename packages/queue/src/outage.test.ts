import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import type { StoredJobEvent } from "@whittle/contracts";
import { describe, expect, it, vi } from "vitest";
import { workerConnection } from "./connection.ts";
import { startLease } from "./lease.ts";
import { resultOf, succeed, untilStopped } from "./rig-jobs.ts";
import { useRig } from "./rig.ts";

const rig = useRig();

/** Waits until the append-only file has everything: it is synced once a second. */
async function synced(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 1200));
}

async function killRedis(): Promise<void> {
  process.kill(rig.redis.pid, "SIGKILL");
  await vi.waitFor(() => expect(() => process.kill(rig.redis.pid, 0)).toThrow("ESRCH"));
}

/** Passes on what comes to the first connection until `cut`, and then nothing more, though it stays open; later ones work. */
async function startSilentProxy(port: number) {
  const sockets: Socket[] = [];
  const server = createServer((inward) => {
    const outward = connect(port, "127.0.0.1");
    inward.pipe(outward).pipe(inward);
    for (const socket of [inward, outward]) socket.on("error", () => {});
    sockets.push(inward, outward);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const address = server.address();
  return {
    port: typeof address === "object" ? String(address?.port) : "",
    cut: () => sockets.slice(0, 2).forEach((socket) => socket.unpipe().pause()),
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

it("a connection over which nothing comes any more is replaced, and what was asked is asked again", async () => {
  const proxy = await startSilentProxy(Number(new URL(rig.redis.url).port));
  const redis = workerConnection(Object.assign(new URL(rig.redis.url), { port: proxy.port }).href);
  try {
    expect(await redis.ping()).toBe("PONG");
    proxy.cut();
    expect(await redis.set("here", "again")).toBe("OK");
    expect(await redis.get("here")).toBe("again");
  } finally {
    redis.disconnect();
    proxy.close();
  }
});

describe("when Redis is killed and comes back", () => {
  it("producers answer unavailable, then work again with all that was accepted", async () => {
    const id = await rig.submit();
    await synced();
    await killRedis();
    await vi.waitFor(async () =>
      expect(await rig.queue.ping().catch((e: unknown) => e)).toMatchObject({ code: "unavailable" }),
    );
    await expect(rig.submit()).rejects.toMatchObject({ code: "unavailable" });
    await rig.startRedis();
    await vi.waitFor(() => rig.queue.ping(), { timeout: 10_000 });
    expect((await rig.queue.get(id)).state).toBe("waiting");
    await rig.work(succeed);
    await rig.reaches(id, "completed");
    await rig.reaches(await rig.submit(), "completed");
  });

  it("a worker gives up a job that it can't hold, and later runs it again without using an attempt", async () => {
    const id = await rig.submit();
    const reasons: unknown[] = [];
    let broken = true;
    await rig.work(
      async (envelope, handle) => {
        if (!broken) return resultOf(envelope);
        await untilStopped(envelope, handle).catch(() => reasons.push(handle.signal.reason));
        throw new Error("stopped");
      },
      { lockDurationMs: 2000, stalledIntervalMs: 500 },
    );
    await rig.reaches(id, "running");
    await synced();
    await killRedis();
    await vi.waitFor(() => expect(reasons).toEqual(["lease"]), { timeout: 10_000 });
    broken = false;
    await rig.startRedis();
    expect(await rig.reaches(id, "completed")).toMatchObject({ attemptsMade: 1 });
  });

  it("a worker that leaves meanwhile leaves without it, once its claims have lapsed", async () => {
    const id = await rig.submit();
    const worker = await rig.work(untilStopped, { lockDurationMs: 2000 });
    await rig.reaches(id, "running");
    await killRedis();
    await expect(worker.close()).resolves.toBeUndefined();
    await rig.startRedis();
  });

  it("followers of a job get the events they missed, each once", async () => {
    const id = await rig.submit();
    const seen: StoredJobEvent[] = [];
    await rig.queue.subscribe(id, undefined, (event) => seen.push(event));
    await vi.waitFor(() => expect(seen).toHaveLength(1));
    await synced();
    await killRedis();
    await rig.startRedis();
    await rig.work(succeed);
    await vi.waitFor(() => expect(seen.map((event) => event.type === "state" && event.state)).toContain("completed"), {
      timeout: 10_000,
    });
    expect(seen).toEqual(await rig.queue.events(id));
  });
});

describe("when a worker is killed", () => {
  it("another worker runs its job, and no attempt is used", async () => {
    const id = await rig.submit();
    const file = fileURLToPath(new URL("worker.fixture.ts", import.meta.url));
    const doomed = spawn(process.execPath, ["--import", "tsx", file, rig.redis.url, rig.prefix], { stdio: "inherit" });
    const exited = once(doomed, "exit");
    expect(await rig.reaches(id, "running")).toMatchObject({ worker: "doomed" });
    doomed.kill("SIGKILL");
    await exited;
    await rig.work(succeed, { lockDurationMs: 1000, stalledIntervalMs: 500 });
    const done = await rig.reaches(id, "completed");
    expect(done).toMatchObject({ attemptsMade: 1, worker: expect.stringMatching(/^w-/) });
  });
});

describe("a lease", () => {
  it("is lost by the clock when renewals do not come back", async () => {
    const renew = vi.fn<() => Promise<boolean>>(() => new Promise(() => {}));
    await new Promise<void>((lost) => startLease(200, renew, lost));
    expect(renew).toHaveBeenCalledTimes(1);
  });

  it("is lost at once when somebody else has the claim", async () => {
    const asked = await new Promise<number>((lost) => {
      let times = 0;
      startLease(
        800,
        async () => ++times < 2,
        () => lost(times),
      );
    });
    expect(asked).toBe(2);
  });

  it("holds while renewals succeed", async () => {
    let renewals = 0;
    const lost = vi.fn<() => void>();
    const lease = startLease(400, async () => ++renewals > 0, lost);
    await vi.waitFor(() => expect(renewals).toBeGreaterThan(16), { timeout: 10_000 });
    lease.stop();
    expect(lost).not.toHaveBeenCalled();
  });
});
