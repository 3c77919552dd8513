import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "@whittle/contracts";
import { startRedis, type RedisServer } from "@whittle/queue/server";
import { WhittleClient } from "@whittle/sdk";
import { startS3Server } from "@whittle/store/testing";
import { Redis } from "ioredis";
import { buildPrograms, root } from "./build.ts";
import { openDisk, type Disk } from "./disk.ts";
import { findProcesses, keepRunning, type ProcessInfo, type Program } from "./processes.ts";
import { startProxy, type Proxy } from "./proxy.ts";
import { openStoreServer, type StoreServer } from "./store-server.ts";

export interface SystemOptions {
  workers: number;
  /** `fs`, `s3` (the test server), or `s3://bucket/prefix?endpoint=http://host:port` of a server that runs. */
  store: string;
  leaseSeconds: number;
  graceSeconds: number;
  /** What processes inherit. */
  env: Record<string, string | undefined>;
}

export interface ChaosWorker {
  program: Program;
  proxy: Proxy;
}

/** A Whittle of its own: private Redis, API and workers as processes, a store. */
export interface System {
  /** Holds the logs of the programs, `<name>.log`. */
  folder: string;
  /** Holds what the jobs write down. */
  witness: string;
  client: WhittleClient;
  api: Program;
  workers: ChaosWorker[];
  /** URL of the store, for `openStore`. */
  storeUrl: string;
  /** The folder store's disk; undefined with S3. */
  disk: Disk | undefined;
  s3: S3 | undefined;
  storeServer: StoreServer | undefined;
  leaseMs: number;
  redis: {
    /** A connection of our own, past every proxy. */
    connection: Redis;
    pid(): number;
    startAgain(): Promise<void>;
  };
  /** Stops the workers, which hand back their jobs. @returns what is left running of them. */
  stopWorkers(): Promise<ProcessInfo[]>;
  close(): Promise<void>;
}

export type S3 = Awaited<ReturnType<typeof startS3Server>>;

/** The test server takes any; the SDK looks for them in the environment, ours included. */
const credentials = { AWS_ACCESS_KEY_ID: "chaos", AWS_SECRET_ACCESS_KEY: "chaos" };

/** Every key in Redis begins with it. */
export const prefix = "{chaos}";

const readyLimitMs = 120_000;

export async function startSystem(options: SystemOptions): Promise<System> {
  await mkdir(join(root, ".whittle"), { recursive: true });
  const folder = await mkdtemp(join(root, ".whittle", "chaos-"));
  const closing: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
  const close = async (): Promise<void> => {
    for (const end of closing.splice(0).toReversed()) await end();
  };
  try {
    return { ...(await start(folder, options, closing)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

type Closing = (() => Promise<unknown>)[];

async function start(
  folder: string,
  { workers, store, leaseSeconds, graceSeconds, env }: SystemOptions,
  closing: Closing,
): Promise<Omit<System, "close">> {
  const programs = join(folder, "programs");
  const witness = join(folder, "witness");
  await mkdir(witness);
  await buildPrograms(programs);
  const redis = await openRedis(join(folder, "redis"), closing);
  const place = await openPlace(store, folder, closing);
  const common = {
    ...env,
    WHITTLE_PREFIX: prefix,
    WHITTLE_STORE: place.storeUrl,
    WHITTLE_WORK_DIR: join(folder, "work"),
    XDG_CACHE_HOME: join(folder, "cache"),
    ...(place.s3 && credentials),
  };
  const run = (name: string, program: string, own: Record<string, string>): Program => {
    const log = join(folder, `${name}.log`);
    const running = keepRunning({ name, program: join(programs, program), env: { ...common, ...own }, log });
    closing.push(() => running.stop(0));
    return running;
  };
  const port = String(await freePort());
  const [host, url] = ["127.0.0.1", redis.url];
  const address = { WHITTLE_API_HOST: host, WHITTLE_API_PORT: port, WHITTLE_RATE_LIMIT: "0" };
  const api = run("api", "api.js", { REDIS_URL: url, ...address });
  const settings = {
    WHITTLE_LEASE_SECONDS: String(leaseSeconds),
    WHITTLE_GRACE_SECONDS: String(graceSeconds),
    WHITTLE_DRAIN_SECONDS: "0.5",
  };
  const started = await Promise.all(
    Array.from({ length: workers }, async (_, at): Promise<ChaosWorker> => {
      const proxy = await openProxy(url, closing);
      const through = Object.assign(new URL(url), { port: String(proxy.port) }).href;
      return { proxy, program: run(`worker-${at}`, "worker.js", { REDIS_URL: through, ...settings }) };
    }),
  );
  const client = new WhittleClient({ url: `http://${host}:${port}` });
  await untilReady(client, workers);
  return {
    ...place,
    folder,
    witness,
    client,
    api,
    redis,
    workers: started,
    leaseMs: leaseSeconds * 1000,
    stopWorkers: async () => {
      await Promise.all(started.map(({ program }) => program.stop(60_000)));
      return findProcesses(programs).filter(({ pid }) => pid !== api.pid());
    },
  };
}

async function openRedis(dir: string, closing: Closing): Promise<System["redis"] & { url: string }> {
  let server: RedisServer = await startRedis({ dir });
  closing.push(() => server.close());
  const connection = new Redis(server.url, { maxRetriesPerRequest: null });
  connection.on("error", () => {});
  closing.push(async () => connection.disconnect());
  return {
    url: server.url,
    connection,
    pid: () => server.pid,
    startAgain: async () => {
      server = await startRedis({ dir });
    },
  };
}

async function openPlace(
  store: SystemOptions["store"],
  folder: string,
  closing: Closing,
): Promise<Pick<System, "storeUrl" | "disk" | "s3" | "storeServer">> {
  if (store === "s3") {
    Object.assign(process.env, credentials);
    const s3 = await startS3Server();
    closing.push(() => s3.close());
    return { storeUrl: s3.url(), s3, disk: undefined, storeServer: undefined };
  }
  if (store !== "fs") {
    const storeServer = await openStoreServer(store);
    closing.push(() => storeServer.network.close());
    return { storeUrl: storeServer.storeUrl, storeServer, disk: undefined, s3: undefined };
  }
  const disk = await openDisk(join(folder, "disk"));
  closing.push(() => disk.close());
  return { storeUrl: disk.store, disk, s3: undefined, storeServer: undefined };
}

async function openProxy(redisUrl: string, closing: Closing): Promise<Proxy> {
  const { hostname: host, port } = new URL(redisUrl);
  const proxy = await startProxy({ host, port: Number(port) });
  closing.push(() => proxy.close());
  return proxy;
}

async function untilReady(client: WhittleClient, workers: number): Promise<void> {
  for (const end = Date.now() + readyLimitMs; Date.now() < end; await sleep(100)) {
    const there = await client.workers().catch(() => []);
    if (there.length >= workers) return;
  }
  throw new AppError("unavailable", `API and workers are not ready after ${readyLimitMs / 1000} s`);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address ? address.port : 0;
}
