import { randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { digestOf } from "../blobs.ts";
import type { Content } from "../content-file.ts";
import type { Entry, StoreDriver } from "../driver.ts";
import { decode } from "../encoding.ts";
import { digestOfKey } from "../keys.ts";
import { seal, unseal } from "../sealed.ts";

/**
 * Keeps the content that was read from a remote place in a folder, which many processes and stores may share. Each file is sealed and
 * checked whenever it is read; only sound content is kept. What was read longest ago goes when there is too much. Whatever fails
 * in the folder (a full disk, missing permissions) costs a request to the remote place and nothing else.
 */
export class CachingDriver implements StoreDriver {
  readonly location: string;
  readonly #remote: StoreDriver;
  readonly #folder: string;
  readonly #maxBytes: number;

  constructor(remote: StoreDriver, folder: string, maxBytes: number) {
    this.location = remote.location;
    this.#remote = remote;
    this.#folder = folder;
    this.#maxBytes = maxBytes;
  }

  async read(key: string): Promise<Uint8Array | undefined> {
    if (!key.startsWith("blobs/")) return this.#remote.read(key);
    const kept = await this.#recall(key).catch(() => undefined);
    if (kept !== undefined) return kept;
    const bytes = await this.#remote.read(key);
    if (bytes !== undefined) await this.#keep(key, bytes).catch(() => {});
    return bytes;
  }

  async create(key: string, content: Content): Promise<boolean> {
    const created = await this.#remote.create(key, content);
    // Who looks at what was there before means the remote place.
    if (!created) await this.#forget(key);
    return created;
  }

  async replace(key: string, content: Content): Promise<void> {
    await this.#remote.replace(key, content);
    await this.#forget(key);
  }

  stat(key: string): Promise<{ size: number } | undefined> {
    return this.#remote.stat(key);
  }

  list(prefix: string): Promise<string[]> {
    return this.#remote.list(prefix);
  }

  entries(prefix: string): Promise<Entry[]> {
    return this.#remote.entries(prefix);
  }

  async remove(key: string): Promise<void> {
    await this.#forget(key);
    await this.#remote.remove(key);
  }

  async #recall(key: string): Promise<Uint8Array | undefined> {
    const path = this.#path(key);
    const bytes = unseal(await readFile(path));
    if (bytes === undefined) await rm(path, { force: true });
    else await utimes(path, new Date(), new Date());
    return bytes;
  }

  async #keep(key: string, bytes: Uint8Array): Promise<void> {
    const content = await decode(bytes);
    if (content === undefined || digestOf(content) !== digestOfKey(key)) return;
    await mkdir(this.#folder, { recursive: true });
    const part = join(this.#folder, `${randomUUID()}.part`);
    try {
      await writeFile(part, seal(bytes));
      await rename(part, this.#path(key));
    } finally {
      await rm(part, { force: true });
    }
    await this.#evict();
  }

  async #evict(): Promise<void> {
    const names = await readdir(this.#folder);
    const files = await Promise.all(
      names.map(async (name) => {
        const path = join(this.#folder, name);
        const { size, mtimeMs } = await stat(path);
        return { path, size, mtimeMs };
      }),
    );
    let total = files.reduce((sum, { size }) => sum + size, 0);
    for (const { path, size } of files.toSorted((a, b) => a.mtimeMs - b.mtimeMs)) {
      if (total <= this.#maxBytes) return;
      await rm(path, { force: true });
      total -= size;
    }
  }

  async #forget(key: string): Promise<void> {
    if (key.startsWith("blobs/")) await rm(this.#path(key), { force: true }).catch(() => {});
  }

  #path(key: string): string {
    return join(this.#folder, digestOfKey(key).replace(":", "-"));
  }
}
