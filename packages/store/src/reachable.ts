import {
  AppError,
  datasetRecord,
  manifest as manifestSchema,
  toAppError,
  versionRecord,
  type Manifest,
} from "@whittle/contracts";
import { getBlob } from "./blobs.ts";
import type { Entry, StoreDriver } from "./driver.ts";
import { inParallel } from "./parallel.ts";
import { parseJson, readRecord } from "./records.ts";

const width = 16;
/** Where version records lie, and how one that was deleted is called by the record of that. */
const models = {
  prefix: "models/",
  version: /^models\/[^/]+\/versions\/\d+\.json$/,
  deletion: /^(models\/[^/]+\/)deleted(\/\d+\.json)$/,
  deleted: "$1versions$2",
};
const datasets = {
  prefix: "datasets/",
  version: /^datasets\/[^/]+\/\d+\.json$/,
  deletion: /^(datasets\/[^/]+\/)deleted\/(\d+\.json)$/,
  deleted: "$1$2",
};

/**
 * What the version records lead to: the files of data sets; of models, the manifests with all files, and the manifests of what these were made from, so that lineage
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
    await inParallel(await this.#fresh(models), width, async ({ key }) => {
      const record = await readRecord(this.#driver, key, versionRecord);
      if (record !== undefined) await this.#publish(key, record.digest);
      this.#records.add(key);
    });
    await inParallel(await this.#fresh(datasets), width, async ({ key }) => {
      const record = await readRecord(this.#driver, key, datasetRecord);
      if (record !== undefined) this.sizes.set(record.digest, record.size);
      this.#records.add(key);
    });
  }

  /** The version records that were not read before and were not deleted. */
  async #fresh({ prefix, version, deletion, deleted }: typeof models): Promise<Entry[]> {
    const listed = await this.#driver.entries(prefix);
    const gone = new Set(
      listed
        .filter(({ key, modified }) => deletion.test(key) && modified <= this.#deletedBefore)
        .map(({ key }) => key.replace(deletion, deleted)),
    );
    return listed.filter(({ key }) => version.test(key) && !gone.has(key) && !this.#records.has(key));
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
