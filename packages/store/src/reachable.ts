import { AppError, manifest as manifestSchema, toAppError, versionRecord, type Manifest } from "@whittle/contracts";
import { getBlob } from "./blobs.ts";
import type { StoreDriver } from "./driver.ts";
import { inParallel } from "./parallel.ts";
import { parseJson, readRecord } from "./records.ts";

const width = 16;
const versionKey = /^models\/[^/]+\/versions\/\d+\.json$/;
const deletionKey = /^(models\/[^/]+\/)deleted(\/\d+\.json)$/;

/**
 * What the version records lead to: their manifests with all files, and the manifests of what these were made from, so that lineage
 * stays whole when the files of an ancestor are gone. {@link update} follows what was published since.
 */
export class Reachable {
  /** Every digest that must stay, with the size of its content where that is known. */
  readonly sizes = new Map<string, number | undefined>();
  readonly #driver: StoreDriver;
  readonly #deletedBefore: number;
  readonly #records = new Set<string>();
  readonly #published = new Set<string>();

  /** @param deletedBefore versions lead nowhere that were deleted until then, in ms since 1970 by the store's clock. */
  constructor(driver: StoreDriver, deletedBefore = Infinity) {
    this.#driver = driver;
    this.#deletedBefore = deletedBefore;
  }

  /** How many artifacts are published. */
  get artifacts(): number {
    return this.#published.size;
  }

  /** Whether a version has this digest: then all its files stay. */
  isPublished(digest: string): boolean {
    return this.#published.has(digest);
  }

  /** @throws AppError `corrupt` when a record or its manifest is damaged: what it leads to can't be known. */
  async update(): Promise<void> {
    const listed = await this.#driver.entries("models/");
    const deleted = new Set(
      listed
        .filter(({ key, modified }) => deletionKey.test(key) && modified <= this.#deletedBefore)
        .map(({ key }) => key.replace(deletionKey, "$1versions$2")),
    );
    const fresh = listed.filter(({ key }) => versionKey.test(key) && !deleted.has(key) && !this.#records.has(key));
    await inParallel(fresh, width, async ({ key }) => {
      const record = await readRecord(this.#driver, key, versionRecord);
      if (record !== undefined) await this.#publish(key, record.digest);
      this.#records.add(key);
    });
  }

  async #publish(key: string, digest: string): Promise<void> {
    if (this.#published.has(digest)) return;
    const manifest = await this.#manifest(digest);
    if (manifest === undefined)
      throw new AppError("corrupt", `${key} leads to ${digest}, which is missing or is no manifest`);
    for (const file of manifest.files) this.sizes.set(file.digest, file.size);
    this.#published.add(digest);
    for (const { digest: parent } of manifest.parents) await this.#ancestor(parent);
  }

  /** An ancestor that is damaged or gone ends its line. */
  async #ancestor(digest: string): Promise<void> {
    if (this.sizes.has(digest)) return;
    const manifest = await this.#manifest(digest).catch((error: unknown) => {
      if (toAppError(error).code !== "corrupt") throw error;
      return undefined;
    });
    for (const { digest: parent } of manifest?.parents ?? []) await this.#ancestor(parent);
  }

  async #manifest(digest: string): Promise<Manifest | undefined> {
    const bytes = await getBlob(this.#driver, digest, `the manifest ${digest}`);
    this.sizes.set(digest, bytes?.byteLength);
    return bytes && manifestSchema.safeParse(parseJson(bytes)).data;
  }
}
