import { AppError } from "@whittle/contracts";
import type { StoreDriver } from "./driver.ts";
import { keys } from "./keys.ts";
import { seal, unseal } from "./sealed.ts";

/**
 * What a running job keeps for whoever continues it on another host, or for jobs that would compute the same: `scratch/<jobId>/<name>`, each sealed by its
 * SHA-256. A name is written once, so checkpoints are numbered. Garbage collection removes what a job left there and nobody cleared.
 */
export class Scratch {
  readonly #driver: StoreDriver;
  readonly #jobId: string;

  constructor(driver: StoreDriver, jobId: string) {
    this.#driver = driver;
    this.#jobId = jobId;
  }

  /**
   * It is on durable storage when this returns.
   * @throws AppError `conflict` when the job has written another content under this name; `invalid_request` for a name that is no key.
   */
  async write(name: string, bytes: Uint8Array): Promise<void> {
    const key = keys.scratch(this.#jobId, name);
    const sealed = seal(bytes);
    if (await this.#driver.create(key, sealed)) return;
    const found = await this.#driver.read(key);
    if (found === undefined || Buffer.compare(found, sealed) !== 0)
      throw new AppError("conflict", `${key} is there already, with another content`);
  }

  /** @returns undefined when there is none. @throws AppError `corrupt` when it isn't what was written. */
  async read(name: string): Promise<Uint8Array | undefined> {
    const key = keys.scratch(this.#jobId, name);
    const sealed = await this.#driver.read(key);
    if (sealed === undefined) return undefined;
    const bytes = unseal(sealed);
    if (bytes === undefined) throw new AppError("corrupt", `${key} is damaged: its content has another SHA-256`);
    return bytes;
  }

  /** The names that the job has written, sorted as text. */
  async list(): Promise<string[]> {
    const prefix = keys.scratchOf(this.#jobId);
    return (await this.#driver.list(prefix)).map((key) => key.slice(prefix.length));
  }

  /** Removes a name; one that isn't there is no error. */
  async remove(name: string): Promise<void> {
    await this.#driver.remove(keys.scratch(this.#jobId, name));
  }

  /** Removes everything that the job has written. */
  async clear(): Promise<void> {
    for (const name of await this.list()) await this.remove(name);
  }
}
