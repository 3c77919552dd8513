import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { npyOf, npzOf, smallArrays, zipOf } from "@whittle/zoo/uploaded/testing";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { useRig } from "../rig.ts";

const rig = useRig();
const mebibyte = 2 ** 20;
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "whittle-receiving-"));
  vi.stubEnv("TMPDIR", folder);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

/** Bytes that don't compress. */
const noise = Uint8Array.from({ length: mebibyte }, (_, at) => Math.imul(at + 1, 2_654_435_761) >>> 13);

/** Sends a body that is never whole in memory, one mebibyte at a time; after `breaksAt` of them its sender is gone. */
async function send(mebibytes: number, breaksAt = Infinity): Promise<Response> {
  const abort = new AbortController();
  let sent = 0;
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      if (sent === breaksAt) return abort.abort();
      if (sent === mebibytes) return controller.close();
      sent += 1;
      controller.enqueue(noise);
    },
  });
  const headers = { "content-type": "application/octet-stream" };
  const request = { method: "POST", headers, body, duplex: "half", signal: abort.signal } as const;
  return fetch(`${rig.api.url}/v1/uploads`, request);
}

setFlagsFromString("--expose-gc");
const collectGarbage = z.custom<() => void>((found) => typeof found === "function").parse(runInNewContext("gc"));

/** By how much the buffers that this process holds grow at most while `work` is done, in MiB. */
async function growth(work: () => Promise<unknown>): Promise<number> {
  const used = async (): Promise<number> => {
    collectGarbage();
    await sleep(20); // V8 frees buffers on a thread of its own.
    return process.memoryUsage().arrayBuffers / mebibyte;
  };
  const before = await used();
  let most = before;
  const done = new AbortController();
  const watch = async (): Promise<void> => {
    for (; !done.signal.aborted; await sleep(100)) most = Math.max(most, await used());
  };
  const watching = watch();
  await work().finally(() => done.abort());
  await watching;
  return most - before;
}

describe("a body of bytes", () => {
  it("takes no more of the memory when it is larger", { timeout: 120_000 }, async () => {
    rig.api = await rig.startReady({ uploadLimitBytes: 512 * mebibyte });
    let status: number | undefined;
    expect(await growth(async () => ({ status } = await send(128)))).toBeLessThan(24);
    expect(status).toBe(201);
    expect((await rig.store.usage()).unused.blobs).toBe(1);
    expect(await readdir(folder)).toEqual([]);
  });

  it("leaves nothing behind when it is too large, breaks off or is refused", async () => {
    expect((await send(3)).status).toBe(413);
    await expect(send(100, 2)).rejects.toThrow(/abort/);
    await rig.startReady({ uploadLimitBytes: 512 * mebibyte });
    expect((await rig.upload("/v1/datasets/mine/versions", noise.subarray(0, 1000))).status).toBe(400);
    await vi.waitFor(async () => expect(await readdir(folder)).toEqual([]), { timeout: 20_000 });
    expect((await rig.store.usage()).unused.blobs).toBe(0);
  });

  it("is 503 where it can't be written", async () => {
    vi.stubEnv("TMPDIR", join(folder, "absent"));
    expect(await rig.upload("/v1/uploads", noise.subarray(0, 1000))).toMatchObject({
      status: 503,
      body: { code: "unavailable", detail: expect.stringMatching(/^the body can't be written to .*absent/) },
    });
  });

  it("is a data set whose archive is read in parts, wherever its directory lies", async () => {
    const packed = await rig.upload("/v1/datasets/mine/versions", npzOf(smallArrays));
    const entries = Object.entries(smallArrays).map(([name, { values, shape }]) => ({
      name: `${name}.npy`,
      bytes: npyOf(values, shape),
    }));
    const plain = await rig.upload("/v1/datasets/mine/versions", zipOf(entries, { comment: "x".repeat(60_000) }));
    for (const { status, body } of [packed, plain])
      expect({ status, body }).toMatchObject({ status: 201, body: { inputShape: [2, 2, 1] } });
    const record = await rig.store.datasets.find("mine", 2);
    expect((await rig.store.datasets.readFile(record)).length).toBe(record.size);
    expect(await readdir(folder)).toEqual([]);
  });
});
