import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { expect, vi } from "vitest";
import { findRedisServer } from "./server.ts";

const masters = 3;
const slots = 16_384;
/** After so long without an answer the nodes hold another one for dead (ms). */
const nodeTimeoutMs = 1500;
const waiting = { timeout: 20_000, interval: 50 };

interface Node {
  port: number;
  start: () => Promise<ChildProcess>;
  process: ChildProcess;
  redis: Redis;
}

/** A Redis Cluster on loopback: three masters and a replica of each. */
export interface Cluster {
  /** Names one node. */
  url: string;
  /** How many keys each master holds. */
  sizes(): Promise<number[]>;
  /** Kills the master that holds `key`, and waits until its replica has taken its place. */
  killMasterOf(key: string): Promise<void>;
  /** Kills all nodes, and starts them again when `away` is over. */
  restart(away: () => Promise<void>): Promise<void>;
  /** Cuts all subscriptions. @returns how many there were. */
  cutSubscriptions(): Promise<number>;
  close(): Promise<void>;
}

export async function startCluster(): Promise<Cluster> {
  const dir = await mkdtemp(join(tmpdir(), "whittle-cluster-"));
  const nodes = await Promise.all(Array.from({ length: 2 * masters }, (_, at) => startNode(join(dir, String(at)))));
  await assemble(nodes);
  const alive = (): Node[] => nodes.filter(({ process }) => process.signalCode === null);
  return {
    url: `redis+cluster://127.0.0.1:${nodes[0]?.port}`,
    sizes: () => Promise.all(nodes.slice(0, masters).map(({ redis }) => redis.dbsize())),
    killMasterOf: async (key) => {
      const slot = await nodes[0]?.redis.cluster("KEYSLOT", key);
      const at = Math.floor((Number(slot) * masters) / slots);
      if (nodes[at]) await kill(nodes[at]);
      const replica = nodes[at + masters]?.redis;
      await vi.waitFor(async () => expect(await replica?.info("replication")).toContain("role:master"), waiting);
    },
    restart: async (away) => {
      await Promise.all(nodes.map(kill));
      await away();
      for (const node of nodes) node.process = await node.start();
      await Promise.all(nodes.map(isWhole));
    },
    cutSubscriptions: async () => {
      const cut = await Promise.all(alive().map(({ redis }) => redis.call("CLIENT", "KILL", "TYPE", "pubsub")));
      return cut.map(Number).reduce((sum, count) => sum + count, 0);
    },
    close: async () => {
      nodes.forEach(({ redis }) => redis.disconnect());
      await Promise.all(alive().map(kill));
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function startNode(dir: string): Promise<Node> {
  await mkdir(dir);
  const [port, busPort] = [await freePort(), await freePort()];
  const options = {
    port,
    dir,
    bind: "127.0.0.1",
    appendonly: "yes",
    "cluster-enabled": "yes",
    "cluster-port": busPort,
    "cluster-node-timeout": nodeTimeoutMs,
    "repl-diskless-sync-delay": 0,
  };
  const given = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const start: Node["start"] = async () => spawn(await findRedisServer(), given, { stdio: "ignore" });
  const process = await start();
  const redis = new Redis(port, { maxRetriesPerRequest: null });
  redis.on("error", () => {});
  await redis.ping();
  return { port, start, process, redis };
}

/** Makes one cluster of the nodes: an equal share of the slots for the first three, of which each has one of the others as replica. */
async function assemble(nodes: Node[]): Promise<void> {
  const [first] = nodes;
  for (const [at, { redis }] of nodes.entries()) {
    const busPort = (await redis.config("GET", "cluster-port"))[1];
    await first?.redis.call("CLUSTER", "MEET", "127.0.0.1", nodes[at]?.port ?? 0, busPort ?? "");
    const [from, to] = [at, at + 1].map((share) => Math.ceil((share * slots) / masters));
    if (at < masters) await redis.call("CLUSTER", "ADDSLOTSRANGE", from ?? 0, (to ?? 0) - 1);
  }
  await Promise.all(nodes.map(isWhole));
  await Promise.all(
    nodes.slice(masters).map(async ({ redis }, at) => {
      await redis.cluster("REPLICATE", String(await nodes[at]?.redis.cluster("MYID")));
      await vi.waitFor(async () => expect(await redis.info("replication")).toContain("master_link_status:up"), waiting);
    }),
  );
}

/** Waits until a node sees the whole cluster at work. */
async function isWhole({ redis }: Node): Promise<void> {
  await vi.waitFor(async () => {
    const info = await redis.cluster("INFO");
    expect(info).toContain("cluster_state:ok");
    expect(info).toContain(`cluster_known_nodes:${2 * masters}`);
  }, waiting);
}

async function kill({ process }: Node): Promise<void> {
  process.kill("SIGKILL");
  await once(process, "exit");
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address ? address.port : 0;
}
