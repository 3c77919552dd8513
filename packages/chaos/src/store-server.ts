import { randomUUID } from "node:crypto";
import { AppError } from "@whittle/contracts";
import { openS3Driver } from "@whittle/store/testing";
import { startProxy, type Proxy } from "./proxy.ts";

/** A server of S3's protocol that somebody else runs. */
export interface StoreServer {
  /** URL of the store, for `openStore`: through `network`. */
  storeUrl: string;
  /** What lies between the programs and the server. */
  network: Proxy;
  /** Cuts the content of a key in the middle, or changes one bit there. @returns false when it has none (any more). */
  tear(key: string, cut: boolean): Promise<boolean>;
}

/**
 * Takes a new place below `s3://bucket/prefix?endpoint=http://host:port`, which is left behind; credentials as the AWS SDK finds
 * them. @param here this machine's address for the programs.
 */
export async function openStoreServer(address: string, here: string): Promise<StoreServer> {
  const url = new URL(address);
  const endpoint = url.searchParams.get("endpoint") ?? "";
  if (!endpoint.startsWith("http://") || !URL.canParse(endpoint))
    throw new AppError("invalid_request", `store: "${address}" must have ?endpoint=http://host:port`);
  const { hostname, port } = new URL(endpoint);
  const network = await startProxy({ host: hostname, port: Number(port || 80) }, here);
  url.pathname += `/chaos-${randomUUID()}`;
  const driver = await openS3Driver(url.href);
  url.searchParams.set("endpoint", `http://${here}:${network.port}`);
  const tear: StoreServer["tear"] = async (key, cut) => {
    const bytes = Buffer.from((await driver.read(key)) ?? []);
    if (bytes.byteLength === 0) return false;
    const at = bytes.byteLength >> 1;
    bytes.writeUInt8((bytes[at] ?? 0) ^ 1, at);
    await driver.replace(key, cut ? bytes.subarray(0, at) : bytes);
    return true;
  };
  return { storeUrl: url.href, network, tear };
}
