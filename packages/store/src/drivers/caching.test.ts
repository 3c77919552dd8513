import { chmod, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { digestOf, putBlob } from "../blobs.ts";
import { keys } from "../keys.ts";
import { ArtifactStore } from "../store.ts";
import { exampleDraft, testStore } from "../testing/index.ts";
import { CachingDriver } from "./caching.ts";
import { MemoryDriver } from "./memory.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "whittle-cache-"));
});
afterEach(async () => {
  await chmod(folder, 0o700);
  await rm(folder, { recursive: true });
});

/** Counts what is read from it. */
class CountingDriver extends MemoryDriver {
  reads = 0;

  override read(key: string): Promise<Uint8Array | undefined> {
    this.reads += 1;
    return super.read(key);
  }
}

testStore("a remote place with a cache", async () => {
  const remote = new MemoryDriver();
  const make = () => new CachingDriver(remote, folder, 1_000_000);
  return { driver: make(), again: make };
});

const content = new TextEncoder().encode("weights ".repeat(100));
const key = keys.blob(digestOf(content));

/** A remote place that has `content`, and its cache. */
async function withContent(maxBytes = 1_000_000) {
  const remote = new CountingDriver();
  await putBlob(remote, digestOf(content), content);
  return { remote, cached: new CachingDriver(remote, folder, maxBytes) };
}

async function onlyFile(): Promise<string> {
  const [name = "", ...more] = await readdir(folder);
  expect(more).toEqual([]);
  return join(folder, name);
}

describe("a cache", () => {
  it("reads content from the remote place once, for all processes", async () => {
    const { remote, cached } = await withContent();
    expect(await cached.read(key)).toEqual(content);
    expect(await cached.read(key)).toEqual(content);
    expect(await new CachingDriver(remote, folder, 1_000_000).read(key)).toEqual(content);
    expect(remote.reads).toBe(1);
  });

  it("keeps no records, since these come and go", async () => {
    const { remote, cached } = await withContent();
    const store = new ArtifactStore(cached);
    await store.publish(exampleDraft("a"), { name: "m", jobId: "1", actor: "me" });
    await store.version("m", 1);
    expect(remote.reads).toBeGreaterThan(0);
    expect(await readdir(folder)).toEqual([]);
  });

  it.each([
    ["cut short", (bytes: Buffer) => bytes.subarray(0, -1)],
    ["changed in one bit", (bytes: Buffer) => bytes.fill((bytes[50] ?? 0) ^ 1, 50, 51)],
    ["empty", () => Buffer.alloc(0)],
  ])("that is %s is read anew", async (_, damage) => {
    const { remote, cached } = await withContent();
    await cached.read(key);
    const file = await onlyFile();
    await writeFile(file, damage(await readFile(file)));
    expect(await cached.read(key)).toEqual(content);
    expect(remote.reads).toBe(2);
    expect(await cached.read(key)).toEqual(content);
    expect(remote.reads).toBe(2);
  });

  it("does not keep content that is damaged in the remote place", async () => {
    const { remote, cached } = await withContent();
    await remote.remove(key);
    await remote.create(key, content.slice(1));
    expect(await cached.read(key)).toEqual(content.slice(1));
    expect(await readdir(folder)).toEqual([]);
  });

  it("does not hide from a writer that the remote place is damaged, and gives what he puts there", async () => {
    const { remote, cached } = await withContent();
    await cached.read(key);
    await remote.replace(key, content.slice(1));
    await putBlob(cached, digestOf(content), content);
    expect(await remote.read(key)).toEqual(await cached.read(key));
    expect(await cached.read(key)).toEqual(content);
  });

  it("removes what was read longest ago when there is too much", async () => {
    const { cached, remote } = await withContent(2_000);
    await cached.read(key);
    const first = await onlyFile();
    await utimes(first, new Date(1), new Date(1));
    const contents = [1, 2, 3].map((n) => content.with(0, n));
    for (const bytes of contents) await putBlob(remote, digestOf(bytes), bytes);
    await cached.read(keys.blob(digestOf(contents[0] ?? content)));
    expect(await readdir(folder)).toHaveLength(2);
    await cached.read(keys.blob(digestOf(contents[1] ?? content)));
    expect(await readdir(folder)).toHaveLength(2);
    await expect(stat(first)).rejects.toThrow("ENOENT");
  });

  it("whose folder can't be made costs nothing but requests", async () => {
    const { remote } = await withContent();
    await writeFile(join(folder, "file"), "x");
    const cached = new CachingDriver(remote, join(folder, "file", "deeper"), 1_000_000);
    expect(await cached.read(key)).toEqual(content);
    expect(await cached.read(key)).toEqual(content);
    expect(remote.reads).toBe(2);
  });
});
