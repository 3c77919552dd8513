import { randomUUID } from "node:crypto";
import { open, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "@whittle/contracts";
import { openS3Driver, startS3Server } from "@whittle/store/testing";
import { openDisk, type Disk } from "./disk.ts";
import { startProxy, type Proxy } from "./proxy.ts";

export type S3 = Awaited<ReturnType<typeof startS3Server>>;

/** Where the artifacts are. */
export interface Place {
  /** URL of the store, for `openStore`. */
  storeUrl: string;
  /** The disk of a store in a folder. */
  disk?: Disk;
  /** S3's test server. */
  s3?: S3;
  /** What lies between the programs and a server of S3's protocol that somebody else runs. */
  network?: Proxy;
  /** What the programs need in their environment. */
  env: Record<string, string>;
  /** Cuts the content of a key in the middle, or changes one bit there. @returns false when it has none (any more). */
  tear(key: string, cut: boolean): Promise<boolean>;
  close(): Promise<void>;
}

/**
 * @param store `fs`, `s3` for its test server, or `s3://bucket/prefix?endpoint=http://host:port` of a server that runs, of which a
 * folder of its own is used and left behind; credentials as the AWS SDK finds them.
 */
export function openPlace(store: string, folder: string): Promise<Place> {
  if (store === "fs") return openFolder(join(folder, "disk"));
  return store === "s3" ? openTestServer() : openServer(store);
}

async function openFolder(folder: string): Promise<Place> {
  const disk = await openDisk(folder);
  return {
    storeUrl: disk.store,
    disk,
    env: {},
    tear: (key, cut) => tearFile(join(disk.store, key), cut),
    close: () => disk.close(),
  };
}

/** The test server takes any; the SDK looks for them in the environment, ours included. */
const credentials = { AWS_ACCESS_KEY_ID: "chaos", AWS_SECRET_ACCESS_KEY: "chaos" };

async function openTestServer(): Promise<Place> {
  Object.assign(process.env, credentials);
  const s3 = await startS3Server();
  const tear: Place["tear"] = async (key, cut) => {
    const object = s3.bucket.objects.get(`store/${key}`);
    if (object) object.bytes = torn(object.bytes, cut);
    return object !== undefined;
  };
  return { storeUrl: s3.url(), s3, env: credentials, tear, close: () => s3.close() };
}

async function openServer(address: string): Promise<Place> {
  const url = new URL(address);
  const endpoint = url.searchParams.get("endpoint") ?? "";
  if (!endpoint.startsWith("http://") || !URL.canParse(endpoint))
    throw new AppError("invalid_request", `store: "${address}" must have ?endpoint=http://host:port`);
  const { hostname, port } = new URL(endpoint);
  const network = await startProxy({ host: hostname, port: Number(port || 80) });
  url.pathname += `/chaos-${randomUUID()}`;
  const driver = await openS3Driver(url.href);
  url.searchParams.set("endpoint", `http://127.0.0.1:${network.port}`);
  const tear: Place["tear"] = async (key, cut) => {
    const bytes = await driver.read(key);
    if (bytes) await driver.replace(key, torn(Buffer.from(bytes), cut));
    return bytes !== undefined;
  };
  return { storeUrl: url.href, network, env: {}, tear, close: () => network.close() };
}

function torn(bytes: Buffer, cut: boolean): Buffer {
  const at = bytes.byteLength >> 1;
  if (cut) return bytes.subarray(0, at);
  const changed = Buffer.from(bytes);
  changed.writeUInt8((changed[at] ?? 0) ^ 1, at);
  return changed;
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
