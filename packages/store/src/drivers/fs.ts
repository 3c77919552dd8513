import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { link, mkdir, open, readFile, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import type { Content } from "../content-file.ts";
import { checkKey, type Entry, type StoreDriver } from "../driver.ts";
import { asAppError, errno } from "./fs-errors.ts";

/**
 * The store in a folder, which may be a network file system shared by several hosts. A key is written to `tmp/`, flushed, and then
 * linked to its name: link(2) fails when the name exists, on every host alike, where locks are silently ignored by some file systems.
 */
export class FsDriver implements StoreDriver {
  readonly location: string;

  constructor(root: string) {
    this.location = resolve(root);
  }

  async read(key: string): Promise<Uint8Array | undefined> {
    const buffer = await this.#absentAs(undefined, readFile(this.#path(key)));
    // A copy that begins at offset 0 of its memory, so that callers can view it as Float32Array.
    return buffer && new Uint8Array(buffer);
  }

  async create(key: string, content: Content): Promise<boolean> {
    const target = this.#path(key);
    const folder = dirname(target);
    if (await this.stat(key)) {
      // Whoever wrote it may not have flushed the folder yet, and what the caller writes next relies on it.
      await this.#reporting(flushFolder(folder));
      return false;
    }
    return this.#reporting(this.#writeAside(target, content, (temporary) => linkNew(temporary, target)));
  }

  async replace(key: string, content: Content): Promise<void> {
    const target = this.#path(key);
    await this.#reporting(this.#writeAside(target, content, (temporary) => rename(temporary, target)));
  }

  async stat(key: string): Promise<{ size: number } | undefined> {
    const found = await this.#absentAs(undefined, stat(this.#path(key)));
    return found && { size: found.size };
  }

  async list(prefix: string): Promise<string[]> {
    if (prefix !== "") checkKey(prefix.slice(0, -1));
    const folder = join(this.location, prefix);
    const entries = await this.#absentAs([], readdir(folder, { recursive: true, withFileTypes: true }));
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => relative(this.location, join(entry.parentPath, entry.name)).split(sep).join("/"))
      .toSorted();
  }

  async entries(prefix: string): Promise<Entry[]> {
    const found: Entry[] = [];
    for (const key of await this.list(prefix)) {
      const entry = await this.#absentAs(undefined, stat(this.#path(key)));
      if (entry !== undefined) found.push({ key, size: entry.size, modified: entry.mtimeMs });
    }
    return found;
  }

  async remove(key: string): Promise<void> {
    await this.#reporting(rm(this.#path(key), { force: true }));
  }

  #path(key: string): string {
    checkKey(key);
    return join(this.location, key);
  }

  async #absentAs<A, T>(absent: A, reading: Promise<T>): Promise<A | T> {
    try {
      return await reading;
    } catch (error) {
      if (errno(error) === "ENOENT") return absent;
      throw asAppError(error, this.location);
    }
  }

  async #reporting<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      throw asAppError(error, this.location);
    }
  }

  /** Writes content to `tmp/`, from where `place` gives it its name. */
  async #writeAside<T>(target: string, content: Content, place: (temporary: string) => Promise<T>): Promise<T> {
    const folder = dirname(target);
    const temporary = join(this.location, "tmp", randomUUID());
    await makeFolder(dirname(temporary));
    await makeFolder(folder);
    try {
      await writeFlushed(temporary, content);
      const placed = await place(temporary);
      await flushFolder(folder);
      return placed;
    } finally {
      await rm(temporary, { force: true });
    }
  }
}

async function writeFlushed(path: string, content: Content): Promise<void> {
  const file = await open(path, "wx");
  try {
    if (content instanceof Uint8Array) await file.writeFile(content);
    // Each is written behind what was before.
    else
      for await (const chunk of createReadStream(content.path, { highWaterMark: 2 ** 20 })) await file.writeFile(chunk);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** @returns false when `target` exists. */
async function linkNew(temporary: string, target: string): Promise<boolean> {
  try {
    await link(temporary, target);
    return true;
  } catch (error) {
    if (errno(error) !== "EEXIST") throw error;
    // NFS may repeat a request whose answer was lost: then it is our own link that is in the way.
    return (await stat(temporary)).nlink > 1;
  }
}

/** Makes a folder with those above it, and flushes every new entry. */
async function makeFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true });
  if (first === undefined) return;
  for (let made = folder; made.length >= first.length; made = dirname(made)) await flushFolder(dirname(made));
}

async function flushFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
