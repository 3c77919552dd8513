import { open, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { S3Fault, S3Operation } from "@whittle/store/testing";
import type { OpenJob } from "../load.ts";
import { signal } from "../processes.ts";
import type { System } from "../system.ts";
import { readRun } from "../witness.ts";
import { find, type Arena, type Fault } from "./arena.ts";

/** The newest checkpoint of a running job is damaged, and the job's process killed, so that the next run meets it. */
const tearCheckpoint: Fault = {
  kind: "checkpoint torn",
  strike: (arena) =>
    arena.alone("checkpoints", async () => {
      const { system, load, history, random } = arena;
      const found = await find(async () => {
        const job = random.pick(load.open().filter(({ running, checkpoints }) => running && checkpoints.length > 0));
        const [begun] = job ? await readRun(system.witness, job.id, job.epoch) : [];
        return job && begun?.what === "begun" ? { job, pid: begun.pid } : undefined;
      });
      if (!found || !(await tear(arena, found.job))) return false;
      history.add({ what: "fault", kind: "checkpoint torn", target: found.job.id, pids: [found.pid] });
      signal(found.pid, "SIGKILL");
      return true;
    }),
};

async function tear({ system, random }: Arena, { id, checkpoints }: OpenJob): Promise<boolean> {
  const key = `scratch/${id}/${checkpoints[0]}`;
  const cut = random.next() < 0.5;
  if (system.storeServer) return system.storeServer.tear(key, cut);
  if (!system.s3) return tearFile(join(system.disk?.store ?? "", key), cut);
  const object = system.s3.bucket.objects.get(`store/${key}`);
  if (!object) return false;
  const at = object.bytes.byteLength >> 1;
  if (cut) object.bytes = object.bytes.subarray(0, at);
  else object.bytes.writeUInt8((object.bytes[at] ?? 0) ^ 1, at);
  return true;
}

async function tearFile(path: string, cut: boolean): Promise<boolean> {
  try {
    const at = (await stat(path)).size >> 1;
    if (cut) await truncate(path, at);
    else await flip(path, at);
    return true;
  } catch {
    return false; // A newer one has taken its place.
  }
}

async function flip(path: string, at: number): Promise<void> {
  const file = await open(path, "r+");
  try {
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, at);
    await file.write(Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, at);
  } finally {
    await file.close();
  }
}

const fillDisk: Fault = {
  kind: "disk full",
  possible: ({ disk }) => disk?.canBeFilled === true,
  strike: (arena) => onDisk(arena, "disk full", "fill", "empty"),
};

const failWrites: Fault = {
  kind: "every write fails",
  possible: ({ disk }) => disk !== undefined,
  strike: (arena) => onDisk(arena, "every write fails", "block", "unblock"),
};

function onDisk(
  { system: { disk }, history, random, alone }: Arena,
  kind: string,
  begin: "fill" | "block",
  end: "empty" | "unblock",
): Promise<boolean> {
  return alone("store", async () => {
    if (!disk) return false;
    const at = Date.now();
    await disk[begin]();
    await sleep(random.between(300, 2000));
    await disk[end]();
    // Filling a disk takes a while: when it is over is known only then.
    history.add({ what: "fault", kind, target: "store", at, until: Date.now() });
    return true;
  });
}

/** The next requests of some operations go wrong. */
function onS3(kind: string, operations: S3Operation[], make: (random: Arena["random"]) => S3Fault): Fault {
  const strike = ({ system: { s3 }, history, random, alone }: Arena): Promise<boolean> =>
    alone("store", async () => {
      if (!s3) return false;
      let left = 1 + random.below(4);
      s3.options.fault = (operation) => (operations.includes(operation) && left-- > 0 ? make(random) : undefined);
      const struck = await find(() => (left <= 0 ? true : undefined));
      delete s3.options.fault;
      if (struck) history.add({ what: "fault", kind, target: "store" });
      return struck === true;
    });
  return { kind, possible: ({ s3 }: System) => s3 !== undefined, strike };
}

const refused = (status: number, code: string) => (): S3Fault => ({ kind: "refused", status, code });
const every: S3Operation[] = ["GetObject", "HeadObject", "PutObject", "DeleteObject", "ListObjectsV2"];

const s3Faults = [
  onS3("S3: 409", ["PutObject"], refused(409, "ConditionalRequestConflict")),
  onS3("S3: 500", every, refused(500, "InternalError")),
  onS3("S3: 503", every, refused(503, "SlowDown")),
  onS3("S3: answer lost (and 412 to the repetition)", ["PutObject"], () => ({ kind: "lost" })),
  onS3("S3: body cut", ["GetObject"], () => ({ kind: "truncated" })),
  onS3("S3: body damaged", ["GetObject"], () => ({ kind: "damaged" })),
  onS3("S3: slow", every, (random) => ({ kind: "slow", ms: random.between(100, 2000) })),
];

/** Between the programs and a server that somebody else runs. */
function onNetwork(kind: string, way: "cut" | "stall"): Fault {
  const strike = ({ system: { storeServer, leaseMs }, history, random, alone }: Arena): Promise<boolean> =>
    alone("store", async () => {
      if (!storeServer) return false;
      const ms = leaseMs * random.between(0.05, 1.5);
      history.add({ what: "fault", kind, target: "store", until: Date.now() + ms });
      storeServer.network[way](ms);
      await sleep(ms);
      return true;
    });
  return { kind, possible: ({ storeServer }: System) => storeServer !== undefined, strike };
}

const networkFaults = [onNetwork("network to store cut", "cut"), onNetwork("network to store stalled", "stall")];

export const storeFaults = [tearCheckpoint, fillDisk, failWrites, ...s3Faults, ...networkFaults];
