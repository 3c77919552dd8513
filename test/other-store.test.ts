import { mkdir, mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { startRedis, type RedisServer } from "@whittle/queue/server";
import { WhittleClient } from "@whittle/sdk";
import { openStore } from "@whittle/store";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { launch, type Launched } from "../apps/cli/src/stack/launch.ts";
import { freePort } from "../apps/cli/src/stack/ports.ts";
import { processes } from "../apps/cli/src/stack/processes.ts";

vi.setConfig({ testTimeout: 180_000 });

const cwd = fileURLToPath(new URL("..", import.meta.url));
const host = "127.0.0.1";
const limit = { timeout: 60_000, interval: 100 };
const job = { family: "mlp", familyParams: { hidden: [4] }, dataset: "tiny", epochs: 1 } as const;

let folder: string;
let redis: RedisServer;
let client: WhittleClient;
let port: number;
let running: Launched[];

beforeEach(async () => {
  running = [];
  folder = await mkdtemp(join(tmpdir(), "whittle-other-store-"));
  redis = await startRedis({ dir: join(folder, "redis") });
  port = await freePort(host, 0);
  client = new WhittleClient({ url: `http://${host}:${port}` });
});
afterEach(async () => {
  await Promise.all(running.map((one) => one.stop(20_000)));
  await redis.close();
  await rm(folder, { recursive: true });
});

/** Starts the API's program or the worker's on a store, and waits until it is there. */
async function start(name: "api" | "worker", store: string): Promise<Launched> {
  const at = { host, port };
  const specs = processes({
    redisUrl: redis.url,
    prefix: "test",
    store,
    api: at,
    serve: at,
    workers: 1,
    concurrency: 1,
  });
  const spec = specs.find((one) => one.name === name);
  if (!spec) throw new Error(`there is no ${name}`);
  const own = { WHITTLE_SPARE: "0", WHITTLE_DRAIN_SECONDS: "1", WHITTLE_WORK_DIR: join(folder, "work") };
  const as = `${name}-${running.length}`;
  const one = await launch(
    { ...spec, name: as },
    { cwd, logDir: join(folder, "logs"), env: { ...process.env, ...own } },
  );
  running.push(one);
  const word = name === "api" ? "listening" : "is there";
  await vi.waitFor(async () => expect(await said(one, word)).toHaveLength(1), limit);
  if (name === "api") await vi.waitFor(() => client.workers(), limit);
  return one;
}

/** The messages in a program's log that begin so. */
async function said({ log }: Launched, begins: string): Promise<string[]> {
  const lines = (await readFile(log, "utf8")).split("\n").filter((line) => line.startsWith("{"));
  return lines.map((line) => String(JSON.parse(line).msg)).filter((text) => text.startsWith(begins));
}

async function untilTrained(id: string): Promise<void> {
  const { state, error, result } = await client.wait(id);
  expect(error?.message ?? state).toBe("completed");
  const { name = "", version } = result?.artifact ?? {};
  expect((await client.versions(name)).map((record) => record.version)).toContain(version);
}

describe("a worker with another store than the API", () => {
  it("takes no jobs and says once what to do; when the API is started with that store, it takes them", async () => {
    const [theirs, own] = [join(folder, "theirs"), join(folder, "own")];
    const api = await start("api", theirs);
    const worker = await start("worker", own);
    expect(await client.workers()).toMatchObject([{ draining: true }]);
    const { id } = await client.submit("train", job, { output: { name: "m" } });
    await sleep(3000); // An idle worker looks for jobs each second.
    expect((await client.job(id)).state).toBe("waiting");
    expect(await (await openStore(own)).models()).toEqual([]);
    await api.stop(20_000);
    const moved = await start("api", own);
    await untilTrained(id);
    const refusals = await said(worker, "takes no jobs");
    expect(refusals).toHaveLength(1);
    expect(refusals[0]).toContain(`its WHITTLE_STORE is ${own}, and the API has another store`);
    expect(await said(worker, "takes jobs again")).toHaveLength(1);
    expect(await said(moved, "WHITTLE_STORE is another store")).toHaveLength(1);
  });
});

describe("a worker that starts before the API", () => {
  it("has the API's store also by another path to it, and none any more when the API moves elsewhere", async () => {
    const store = join(folder, "store");
    await mkdir(store);
    await symlink(store, join(folder, "mounted"));
    const worker = await start("worker", join(folder, "mounted"));
    const api = await start("api", store);
    await untilTrained((await client.submit("train", job, { output: { name: "m" } })).id);
    expect(await said(worker, "takes no jobs")).toEqual([]);
    await api.stop(20_000);
    await start("api", join(folder, "elsewhere"));
    const { id } = await client.submit("train", job, { output: { name: "m" } });
    await sleep(3000);
    expect((await client.job(id)).state).toBe("waiting");
    expect(await said(worker, "takes no jobs")).toHaveLength(1);
    await start("worker", join(folder, "elsewhere"));
    await untilTrained(id);
  });
});
