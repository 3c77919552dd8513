import { chmod, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MemoryDriver } from "./drivers/memory.ts";
import { openStore, probe } from "./open.ts";
import { exampleDraft } from "./testing/index.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "whittle-store-"));
});
afterEach(async () => {
  await chmod(folder, 0o700);
  await rm(folder, { recursive: true });
});

/** What an object store does that ignores conditional writes. */
class OverwritingDriver extends MemoryDriver {
  override async create(key: string, bytes: Uint8Array): Promise<boolean> {
    await this.remove(key);
    return super.create(key, bytes);
  }
}

/** A store that loses half of what it was given on the way back. */
class TornDriver extends MemoryDriver {
  override async read(key: string): Promise<Uint8Array | undefined> {
    return (await super.read(key))?.subarray(0, 2);
  }
}

describe("opening a store", () => {
  it("makes the folder, and finds there what was published under the other spelling of its address", async () => {
    const path = join(folder, "deep", "store");
    const record = await (await openStore(path)).publish(exampleDraft("a"), { name: "m", jobId: "1", actor: "me" });
    const store = await openStore(pathToFileURL(path).href);
    expect(await store.resolve("m")).toMatchObject({ digest: record.digest });
    expect(store.location).toBe(path);
  });

  it("leaves nothing of its probe behind", async () => {
    await openStore(folder);
    expect(await readdir(join(folder, "tmp"))).toEqual([]);
  });

  it("gives a new store in memory each time", async () => {
    await (await openStore("memory:")).publish(exampleDraft("a"), { name: "m", jobId: "1", actor: "me" });
    expect(await (await openStore("memory:")).models()).toEqual([]);
  });

  it.each(["gs://bucket/prefix", "http://host/x", ""])("refuses the address %j", async (url) => {
    await expect(openStore(url)).rejects.toMatchObject({ code: "invalid_request" });
  });

  it("refuses a place that is no folder", async () => {
    const path = join(folder, "file");
    await writeFile(path, "x");
    await expect(openStore(path)).rejects.toMatchObject({ code: "unavailable" });
  });

  it("refuses a place that overwrites what is there", async () => {
    await expect(probe(new OverwritingDriver())).rejects.toMatchObject({
      code: "unavailable",
      message: expect.stringContaining("overwrites"),
    });
  });

  it("refuses one that gives back something else for now, without calling it unfit", async () => {
    await expect(probe(new TornDriver())).rejects.toMatchObject({
      code: "unavailable",
      message: expect.stringContaining("did not give back what was written"),
    });
  });
});
