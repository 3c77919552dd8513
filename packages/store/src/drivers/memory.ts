import { checkKey, type StoreDriver } from "../driver.ts";

/** Holds the store in this process, for tests and trials. */
export class MemoryDriver implements StoreDriver {
  readonly location = "memory:";
  readonly #entries = new Map<string, Uint8Array>();

  async read(key: string): Promise<Uint8Array | undefined> {
    checkKey(key);
    const entry = this.#entries.get(key);
    return entry && new Uint8Array(entry);
  }

  async create(key: string, bytes: Uint8Array): Promise<boolean> {
    checkKey(key);
    if (this.#entries.has(key)) return false;
    this.#entries.set(key, new Uint8Array(bytes));
    return true;
  }

  async stat(key: string): Promise<{ size: number } | undefined> {
    checkKey(key);
    const entry = this.#entries.get(key);
    return entry && { size: entry.byteLength };
  }

  async list(prefix: string): Promise<string[]> {
    return [...this.#entries.keys()].filter((key) => key.startsWith(prefix)).toSorted();
  }

  async remove(key: string): Promise<void> {
    checkKey(key);
    this.#entries.delete(key);
  }
}
