import {
  AppError,
  canonicalJson,
  datasetContent,
  datasetRecord,
  deletionRecord,
  modelName,
  parse,
  type DatasetContent,
  type DatasetRecord,
  type DeletionRecord,
  type UploadedDataset,
} from "@whittle/contracts";
import { digestOf, getBlob, putBlob } from "./blobs.ts";
import { sizeOf, type ContentFile } from "./content-file.ts";
import type { StoreDriver } from "./driver.ts";
import { keys, readDatasetKeys } from "./keys.ts";
import { underLease } from "./lease.ts";
import { enumerate, versionsOn, type Page } from "./names.ts";
import { createRecord, readRecord } from "./records.ts";

/** What {@link Datasets.add} makes a version of. */
export interface DatasetDraft {
  name: string;
  actor: string;
  content: DatasetContent;
  /** What to warn of whoever looks at the version; it tells no two versions apart. */
  warnings?: string[];
}

/** The data sets that users upload: versions of names, as of models, each of one file. */
export class Datasets {
  readonly #driver: StoreDriver;

  constructor(driver: StoreDriver) {
    this.#driver = driver;
  }

  /**
   * Stores a file and gives it the next version of a name. It may be interrupted anywhere and repeated: where the newest version has the
   * same file and is described alike, that is the answer and there is no other.
   * @param file in memory, or in a file with its digest.
   */
  async add(
    file: Uint8Array | (ContentFile & { digest: string }),
    { name, actor, content, warnings = [] }: DatasetDraft,
  ): Promise<DatasetRecord> {
    parse(modelName, name, "The data set's name", "name");
    const digest = file instanceof Uint8Array ? digestOf(file) : file.digest;
    const draft = { ...content, name, digest, size: sizeOf(file), actor, ...(warnings.length > 0 && { warnings }) };
    return underLease(this.#driver, [digest], async (held) => {
      await putBlob(this.#driver, digest, file);
      for (;;) {
        const { versions, deleted } = await this.#keysOf(name);
        const newest = versions.at(-1);
        const last = newest === undefined ? undefined : await this.#read(name, newest);
        if (last && meaning(last) === meaning(draft)) return last;
        await held();
        const version = Math.max(newest ?? 0, ...deleted) + 1;
        const record = parse(datasetRecord, { ...draft, version, createdAt: new Date().toISOString() }, "The record");
        if (await createRecord(this.#driver, keys.dataset(name, version), record)) return record;
      }
    });
  }

  /** Every version there is, or those on a page, by name and then as they were made. */
  async list({ after, limit }: Page<UploadedDataset> = {}): Promise<DatasetRecord[]> {
    const all = [...readDatasetKeys(await this.#driver.list("datasets/"))].toSorted(([a], [b]) => (a < b ? -1 : 1));
    const found = all.flatMap(([name, { versions }]) => {
      if (after !== undefined && name < after.name) return [];
      const wanted = versionsOn({ after: name === after?.name ? after.version : undefined }, versions);
      return wanted.map((version) => ({ name, version }));
    });
    return this.#readAll(found.slice(0, limit));
  }

  /** A name's versions, or those on a page, oldest first. @throws AppError `not_found`, saying which data sets there are. */
  async versions(name: string, page: Page<number> = {}): Promise<DatasetRecord[]> {
    parse(modelName, name, "The data set's name", "name");
    const { versions } = await this.#keysOf(name);
    if (versions.length === 0) throw await this.#noSuchName(name);
    return this.#readAll(versionsOn(page, versions).map((version) => ({ name, version })));
  }

  /** @throws AppError `not_found`, saying which versions or data sets there are. */
  async find(name: string, version: number): Promise<DatasetRecord> {
    parse(modelName, name, "The data set's name", "name");
    const { versions, deleted } = await this.#keysOf(name);
    const record = versions.includes(version) ? await this.#read(name, version) : undefined;
    if (record !== undefined) return record;
    if (versions.length === 0) throw await this.#noSuchName(name);
    const why = deleted.includes(version) ? " any more: it was deleted" : "";
    const there = enumerate(versions, "none");
    throw new AppError("not_found", `the data set ${name} has no version ${version}${why}; it has ${there}`);
  }

  /** A version's file, checked. @throws AppError `corrupt` when it is damaged or missing. */
  async readFile({ name, version, digest, size }: DatasetRecord): Promise<Uint8Array> {
    const bytes = await getBlob(this.#driver, digest, `the data set ${name}@${version}`, size);
    if (bytes === undefined)
      throw new AppError("corrupt", `the data set ${name}@${version} is damaged: ${keys.blob(digest)} is missing`);
    return bytes;
  }

  /**
   * Deletes a version, as versions of models are: by a record beside its own, so that its number is not given again. Doing it twice is as
   * once.
   * @returns the record of the first deletion.
   * @throws AppError `not_found`.
   */
  async delete(name: string, version: number, actor: string): Promise<DeletionRecord> {
    parse(modelName, name, "The data set's name", "name");
    const key = keys.datasetDeletion(name, version);
    const before = await readRecord(this.#driver, key, deletionRecord);
    if (before !== undefined) return before;
    const { digest } = await this.find(name, version);
    const record = { name, version, digest, actor, at: new Date().toISOString() };
    // Where another was faster, its record is there now.
    return (await createRecord(this.#driver, key, record)) ? record : this.delete(name, version, actor);
  }

  /** Whether there was such a version and it was deleted. */
  async isDeleted(name: string, version: number): Promise<boolean> {
    return (await this.#driver.stat(keys.datasetDeletion(name, version))) !== undefined;
  }

  async #keysOf(name: string): Promise<{ versions: number[]; deleted: number[] }> {
    return readDatasetKeys(await this.#driver.list(keys.datasetsOf(name))).get(name) ?? { versions: [], deleted: [] };
  }

  async #readAll(wanted: UploadedDataset[]): Promise<DatasetRecord[]> {
    const records = await Promise.all(wanted.map(({ name, version }) => this.#read(name, version)));
    return records.filter((record) => record !== undefined);
  }

  #read(name: string, version: number): Promise<DatasetRecord | undefined> {
    return readRecord(this.#driver, keys.dataset(name, version), datasetRecord);
  }

  async #noSuchName(name: string): Promise<AppError> {
    const names = new Set((await this.list()).map((record) => record.name));
    const there = enumerate([...names], "none");
    return new AppError("not_found", `there is no uploaded data set "${name}"; the store has ${there}`);
  }
}

/** What two versions are the same by: their file and how it is read. */
function meaning(record: DatasetContent & { digest: string }): string {
  return canonicalJson({ digest: record.digest, ...datasetContent.parse(record) });
}
