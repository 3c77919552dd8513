import { spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdir, open, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "@whittle/contracts";
import { Redis } from "ioredis";
import { z } from "zod";
import { findRedisServer } from "./redis-binary.ts";

export { findRedisServer } from "./redis-binary.ts";

export interface StartRedisOptions {
  /** Data folder; made when it is missing. One server at a time runs on it. */
  dir: string;
  /** Program to run instead of the one that {@link findRedisServer} finds. */
  binary?: string;
  /** Loopback port; by default the one that the folder's last server had, when it is free, else any free one. */
  port?: number;
}

export interface RedisServer {
  url: string;
  pid: number;
  /** Whether a server that another process started was found on the folder and is used; `close` then leaves it running. */
  shared: boolean;
  /** Stops the server, with everything on disk. */
  close(): Promise<void>;
}

/** What is kept in the data folder, so that a later start finds the server that still runs or takes the same URL again. */
const record = z.object({ owner: z.int(), port: z.int(), password: z.string() });
type ServerRecord = z.infer<typeof record>;

const startLimitMs = 60_000;
const stopLimitMs = 10_000;

/**
 * Runs a private redis-server on a loopback port: append-only file synced every second, no eviction, a password known only to
 * readers of `dir`. A server that still runs on `dir` is used again; when the process that started it is gone, it is taken over.
 * @throws AppError `unavailable` when there is no redis-server or it does not start, with its last words.
 */
export async function startRedis(options: StartRedisOptions): Promise<RedisServer> {
  const dir = resolve(options.dir);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const last = await readRecord(dir);
  const running = last && (await runningServer(dir, last));
  if (last && running) {
    const shared = last.owner !== process.pid && isAlive(last.owner);
    if (!shared) await writeRecord(dir, { ...last, owner: process.pid });
    return { ...running, shared, close: async () => (shared ? undefined : stop(running.pid)) };
  }
  const binary = options.binary ?? (await findRedisServer());
  const port = options.port ?? (await freePort(last?.port));
  const next = { owner: process.pid, port, password: last?.password ?? randomBytes(18).toString("base64url") };
  await writeRecord(dir, next);
  return launch(binary, dir, next);
}

async function launch(binary: string, dir: string, at: ServerRecord): Promise<RedisServer> {
  const config = join(dir, "redis.conf");
  await writeFile(config, configuration(dir, at), { mode: 0o600 });
  const log = await open(join(dir, "redis.log"), "w", 0o600);
  // Its own process group: Ctrl-C in a terminal reaches the apps, which still need Redis to leave in order.
  const child = spawn(binary, [config], { detached: true, stdio: ["ignore", log.fd, log.fd] });
  // Before anything is waited for: it may end that soon.
  const ended = once(child, "exit").then(
    () => failure(dir, "stopped at once"),
    (cause: unknown) => failure(dir, `${binary} can't be run: ${String(cause)}`),
  );
  await log.close();
  const client = connect(at, true);
  // Another server on the port answers too, and refuses the password: then ours is about to end and says why.
  const ready = client.ping().catch(() => ended);
  const outcome = await Promise.race([ready, ended, sleep(startLimitMs, undefined, { ref: false })]);
  client.disconnect();
  if (outcome !== "PONG") {
    child.kill("SIGKILL");
    throw outcome instanceof AppError ? outcome : await failure(dir, `is not ready after ${startLimitMs / 1000} s`);
  }
  child.unref();
  const pid = child.pid ?? 0;
  return { url: urlOf(at), pid, shared: false, close: () => stop(pid, child) };
}

async function failure(dir: string, what: string): Promise<AppError> {
  const log = await readFile(join(dir, "redis.log"), "utf8").catch(() => "");
  return new AppError(
    "unavailable",
    `redis-server did not start: ${what}: ${log.trim().split("\n").slice(-3).join("; ")}`,
  );
}

function configuration(dir: string, { port, password }: ServerRecord): string {
  return [
    "bind 127.0.0.1",
    `port ${port}`,
    `requirepass ${password}`,
    `dir ${JSON.stringify(dir)}`,
    "appendonly yes",
    "appendfsync everysec",
    "maxmemory-policy noeviction",
    "daemonize no",
    "loglevel notice",
    "",
  ].join("\n");
}

/** The server of `last`, when it answers and runs on this very folder. */
async function runningServer(dir: string, last: ServerRecord): Promise<{ url: string; pid: number } | undefined> {
  const client = connect(last, false);
  try {
    const [, folder] = await client.config("GET", "dir");
    const pid = /process_id:(\d+)/.exec(await client.info("server"))?.[1];
    return folder === dir && pid !== undefined ? { url: urlOf(last), pid: Number(pid) } : undefined;
  } catch {
    return undefined;
  } finally {
    client.disconnect();
  }
}

function connect(at: ServerRecord, wait: boolean): Redis {
  const client = new Redis(urlOf(at), {
    maxRetriesPerRequest: null,
    connectTimeout: 2000,
    retryStrategy: () => (wait ? 50 : null),
  });
  client.on("error", () => {});
  return client;
}

function urlOf({ port, password }: ServerRecord): string {
  return `redis://:${password}@127.0.0.1:${port}`;
}

async function stop(pid: number, child?: ChildProcess): Promise<void> {
  if (child && (child.exitCode !== null || child.signalCode !== null)) return;
  // While we wait for it, it is a reason to stay.
  child?.ref();
  const exited = child ? once(child, "exit") : untilGone(pid);
  signal(pid, "SIGTERM");
  const stopped = await Promise.race([exited.then(() => true), sleep(stopLimitMs, false, { ref: false })]);
  if (!stopped) signal(pid, "SIGKILL");
  await exited;
}

async function untilGone(pid: number): Promise<void> {
  while (isAlive(pid)) await sleep(20);
}

function isAlive(pid: number): boolean {
  return signal(pid, 0);
}

function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

async function freePort(preferred?: number): Promise<number> {
  const probe = createServer();
  try {
    probe.listen(preferred ?? 0, "127.0.0.1");
    await once(probe, "listening");
    const address = probe.address();
    return typeof address === "object" && address ? address.port : 0;
  } catch (error) {
    if (preferred !== undefined) return freePort();
    throw error;
  } finally {
    probe.close();
  }
}

async function readRecord(dir: string): Promise<ServerRecord | undefined> {
  try {
    return record.parse(JSON.parse(await readFile(join(dir, "server.json"), "utf8")));
  } catch {
    return undefined;
  }
}

async function writeRecord(dir: string, value: ServerRecord): Promise<void> {
  await writeFile(join(dir, "server.json"), JSON.stringify(value), { mode: 0o600 });
}
