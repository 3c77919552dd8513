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
import { openNetwork, type Host, type Network } from "./hosts.ts";
import { allProcesses, keepRunning, type ProcessInfo, type Program } from "./processes.ts";
import { startProxy, type Proxy } from "./proxy.ts";
import { openStoreServer, type StoreServer } from "./store-server.ts";

export interface SystemOptions {
  workers: number;
  /** Whether each worker, and the API, runs on a host of its own. */
  hosts: boolean;
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
  host: Host | undefined;
}

/** A Whittle of its own: private Redis, API and workers as processes, a store. */
export interface System {
  /** Holds the logs of the programs, `<name>.log`. */
  folder: string;
  /** Holds what the jobs write down. */
  witness: string;
  client: WhittleClient;
  api: Program;
  apiHost: Host | undefined;
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
  /** Stops the API, and the workers, which hand back their jobs. @returns what is left running of them, or on their hosts. */
  stopPrograms(): Promise<ProcessInfo[]>;
  close(): Promise<void>;
}

export type S3 = Awaited<ReturnType<typeof startS3Server>>;

/** The test server takes any; the SDK looks for them in the environment, ours included. */
const credentials = { AWS_ACCESS_KEY_ID: "chaos", AWS_SECRET_ACCESS_KEY: "chaos" };

/** Of the API, which asks for one when others than this machine can reach it. */
const key = "chaos-chaos-chaos";

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
  { workers, hosts, store, leaseSeconds, graceSeconds, env }: SystemOptions,
  closing: Closing,
): Promise<Omit<System, "close">> {
  const programs = join(folder, "programs");
  const witness = join(folder, "witness");
  await mkdir(witness);
  await buildPrograms(programs);
  const redis = await openRedis(join(folder, "redis"), closing);
  // Before the hosts, which see the mounts that there are when they start.
  const disk = store === "fs" ? await openVolume(folder, closing) : undefined;
  const network = hosts ? await openHosts(workers + 1, folder, closing) : undefined;
  const here = network?.address ?? "127.0.0.1";
  const s3 = store === "s3" ? await openS3(here, closing) : undefined;
  const storeServer = disk || s3 ? undefined : await openServer(store, here, closing);
  const storeUrl = disk?.store ?? s3?.url() ?? storeServer?.storeUrl ?? "";
  const common = { ...env, WHITTLE_PREFIX: prefix, WHITTLE_STORE: storeUrl, ...(s3 && credentials) };
  const run = (name: string, program: string, own: Record<string, string>, host?: Host): Program => {
    const log = join(folder, `${name}.log`);
    const settings = { ...common, ...(host ? hostSettings(host, folder) : localSettings(folder)), ...own };
    const running = keepRunning({ name, program: join(programs, program), env: settings, log, ...(host && { host }) });
    closing.push(() => running.stop(0));
    return running;
  };
  const through = (proxy: Proxy): string =>
    Object.assign(new URL(redis.url), { hostname: here, port: String(proxy.port) }).href;
  const [apiHost, ...workerHosts] = network?.hosts ?? [];
  const port = String(await freePort());
  const address = { WHITTLE_API_HOST: apiHost?.address ?? here, WHITTLE_API_PORT: port, WHITTLE_RATE_LIMIT: "0" };
  const url = apiHost ? through(await openProxy(redis.url, here, closing)) : redis.url;
  const api = run("api", "api.js", { REDIS_URL: url, ...address, ...(apiHost && { WHITTLE_API_KEYS: key }) }, apiHost);
  const settings = {
    WHITTLE_LEASE_SECONDS: String(leaseSeconds),
    WHITTLE_GRACE_SECONDS: String(graceSeconds),
    WHITTLE_DRAIN_SECONDS: "0.5",
  };
  const started = await Promise.all(
    Array.from({ length: workers }, async (_, at): Promise<ChaosWorker> => {
      const proxy = await openProxy(redis.url, here, closing);
      const host = workerHosts[at];
      const own = { REDIS_URL: through(proxy), ...settings };
      return { proxy, host, program: run(`worker-${at}`, "worker.js", own, host) };
    }),
  );
  const client = new WhittleClient({ url: `http://${address.WHITTLE_API_HOST}:${port}`, key });
  await untilReady(client, workers);
  return {
    storeUrl,
    disk,
    s3,
    storeServer,
    folder,
    witness,
    client,
    api,
    apiHost,
    redis,
    workers: started,
    leaseMs: leaseSeconds * 1000,
    stopPrograms: async () => {
      await Promise.all([api, ...started.map(({ program }) => program)].map((program) => program.stop(60_000)));
      const left = allProcesses().filter(({ command }) => command.includes(programs));
      return [...left, ...(network?.processes() ?? [])];
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

/** More than a lease, an announcement and most pauses last. */
const skewMs = 45_000;

async function openHosts(count: number, folder: string, closing: Closing): Promise<Network> {
  const proc = join(folder, "proc");
  await mkdir(proc);
  const skews = Array.from({ length: count }, (_, at) => ((at % 3) - 1) * skewMs);
  const network = await openNetwork(proc, skews);
  closing.push(() => network.close());
  return network;
}

function localSettings(folder: string): Record<string, string> {
  return { WHITTLE_WORK_DIR: join(folder, "work"), XDG_CACHE_HOME: join(folder, "cache") };
}

/** Its folders are in its own /tmp: what one host keeps there no other finds. */
function hostSettings(host: Host, folder: string): Record<string, string> {
  return {
    XDG_CACHE_HOME: "/tmp/cache",
    CHAOS_PROC: join(folder, "proc"),
    CHAOS_SKEW_MS: String(host.skewMs),
    NODE_OPTIONS: `--import=${join(folder, "programs", "clock.js")}`,
  };
}

async function openVolume(folder: string, closing: Closing): Promise<Disk> {
  const disk = await openDisk(join(folder, "disk"));
  closing.push(() => disk.close());
  return disk;
}

async function openServer(store: string, here: string, closing: Closing): Promise<StoreServer> {
  const server = await openStoreServer(store, here);
  closing.push(() => server.network.close());
  return server;
}

async function openS3(here: string, closing: Closing): Promise<S3> {
  Object.assign(process.env, credentials);
  const s3 = await startS3Server({ host: here });
  closing.push(() => s3.close());
  return s3;
}

async function openProxy(redisUrl: string, here: string, closing: Closing): Promise<Proxy> {
  const { hostname: host, port } = new URL(redisUrl);
  const proxy = await startProxy({ host, port: Number(port) }, here);
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
