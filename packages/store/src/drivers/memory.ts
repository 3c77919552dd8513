import { bytesOf, type Content } from "../content-file.ts";
import { checkKey, type Entry, type StoreDriver } from "../driver.ts";

/** Holds the store in this process, for tests and trials. */
export class MemoryDriver implements StoreDriver {
  readonly location = "memory:";
  readonly #entries = new Map<string, { bytes: Uint8Array; modified: number }>();

  async read(key: string): Promise<Uint8Array | undefined> {
    checkKey(key);
    const entry = this.#entries.get(key);
    return entry && new Uint8Array(entry.bytes);
  }

  async create(key: string, content: Content): Promise<boolean> {
    checkKey(key);
    const bytes = await bytesOf(content);
    if (this.#entries.has(key)) return false;
    this.#set(key, bytes);
    return true;
  }

  async replace(key: string, content: Content): Promise<void> {
    checkKey(key);
    this.#set(key, await bytesOf(content));
  }

  async stat(key: string): Promise<{ size: number } | undefined> {
    checkKey(key);
    const entry = this.#entries.get(key);
    return entry && { size: entry.bytes.byteLength };
  }

  async list(prefix: string): Promise<string[]> {
    return [...this.#entries.keys()].filter((key) => key.startsWith(prefix)).toSorted();
  }

  async entries(prefix: string): Promise<Entry[]> {
    const found = [...this.#entries].filter(([key]) => key.startsWith(prefix)).toSorted(([a], [b]) => (a < b ? -1 : 1));
    return found.map(([key, { bytes, modified }]) => ({ key, size: bytes.byteLength, modified }));
  }

  async remove(key: string): Promise<void> {
    checkKey(key);
    this.#entries.delete(key);
  }

  #set(key: string, bytes: Uint8Array): void {
    this.#entries.set(key, { bytes: new Uint8Array(bytes), modified: Date.now() });
  }
}
