import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { startRedis } from "@whittle/queue/server";
import { WhittleClient } from "@whittle/sdk";
import { expect, vi } from "vitest";
import { launch, type Launched } from "../../apps/cli/src/stack/launch.ts";
import { freePort } from "../../apps/cli/src/stack/ports.ts";
import { processes } from "../../apps/cli/src/stack/processes.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const run = promisify(execFile);
const host = "127.0.0.1";
const startLimit = { timeout: 60_000, interval: 100 };

/** Whittle as `whittle up` runs it, on a folder of its own: real Redis, real processes. */
export interface System {
  client: WhittleClient;
  apiUrl: string;
  serveUrl: string;
  /** Starts one more worker and waits until it takes jobs. */
  startWorker(): Promise<Launched>;
  /** Kills Redis, as a crash would. */
  killRedis(): void;
  /** Starts Redis again on the same data and address. */
  startRedis(): Promise<void>;
  close(): Promise<void>;
}

export async function startSystem(): Promise<System> {
  const folder = await mkdtemp(join(tmpdir(), "whittle-system-"));
  const dir = join(folder, "redis");
  let redis = await startRedis({ dir });
  const [api, serve] = [
    { host, port: await freePort(host, 0) },
    { host, port: await freePort(host, 0) },
  ];
  const config = { redisUrl: redis.url, prefix: "test", store: join(folder, "store"), api, serve };
  const env = { ...process.env, WHITTLE_DRAIN_SECONDS: "1", WHITTLE_WORK_DIR: join(folder, "work") };
  const options = { cwd: root, logDir: join(folder, "logs"), env };
  const specs = processes({ ...config, workers: 1, concurrency: 1 });
  const started: Launched[] = [];
  const start = async (name: string, as = name): Promise<Launched> => {
    const spec = specs.find((one) => one.name === name);
    if (!spec) throw new Error(`there is no process ${name}`);
    const one = await launch({ ...spec, name: as }, options);
    started.push(one);
    return one;
  };
  const [apiUrl, serveUrl] = [`http://${host}:${api.port}`, `http://${host}:${serve.port}`];
  const client = new WhittleClient({ url: apiUrl, serveUrl });
  const system: System = {
    client,
    apiUrl,
    serveUrl,
    startWorker: async () => {
      const worker = await start("worker", `worker-${started.length}`);
      await vi.waitFor(async () => expect(await workerPids(client)).toContain(worker.pid), startLimit);
      return worker;
    },
    killRedis: () => void process.kill(redis.pid, "SIGKILL"),
    startRedis: async () => {
      redis = await startRedis({ dir });
    },
    close: async () => {
      await Promise.all(started.map((one) => one.stop(20_000)));
      await redis.close();
      await rm(folder, { recursive: true });
    },
  };
  try {
    await Promise.all([start("api"), start("serve")]);
    for (const url of [apiUrl, serveUrl]) {
      await vi.waitFor(async () => expect(await answers(`${url}/readyz`)).toBe(true), startLimit);
    }
    return system;
  } catch (error) {
    await system.close();
    throw error;
  }
}

async function workerPids(client: WhittleClient): Promise<number[]> {
  return (await client.workers()).map(({ pid }) => pid);
}

async function answers(url: string): Promise<boolean> {
  const response = await fetch(url).catch(() => undefined);
  await response?.body?.cancel();
  return response?.ok ?? false;
}

/** Whether a process runs; one that has ended and was not yet collected by its parent doesn't. */
export async function isRunning(pid: number): Promise<boolean> {
  const { stdout } = await run("ps", ["-o", "stat=", "-p", String(pid)]).catch(() => ({ stdout: "" }));
  return stdout.trim() !== "" && !stdout.startsWith("Z");
}
