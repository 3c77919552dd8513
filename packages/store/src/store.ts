import {
  aliasName,
  AppError,
  digest as digestSchema,
  manifest as manifestSchema,
  modelName,
  parse,
  parseModelReference,
  toAppError,
  type AliasRecord,
  type ArtifactDraft,
  type DeletionRecord,
  type FileRole,
  type Issue,
  type Manifest,
  type Measurements,
  type ModelReference,
  type VersionRecord,
} from "@whittle/contracts";
import { aliasHistory, moveAlias } from "./aliases.ts";
import { audit, type Audit } from "./audit.ts";
import { getBlob } from "./blobs.ts";
import { Claims } from "./claims.ts";
import { collect, type Collection, type CollectOptions } from "./collect.ts";
import type { ContentFile } from "./content-file.ts";
import { putContent, putContentFile, readContent, type StoredContent } from "./content.ts";
import { Datasets } from "./datasets.ts";
import { deleteVersion, isDeleted, type DeleteOptions } from "./deletion.ts";
import type { StoreDriver } from "./driver.ts";
import { identify } from "./identity.ts";
import { keys } from "./keys.ts";
import { buildLineage, type LineageNode } from "./lineage.ts";
import {
  findAlias,
  findModel,
  findVersion,
  listModels,
  summarize,
  versionsOn,
  type ModelSummary,
  type Page,
} from "./names.ts";
import { publish, publishContent, type PublishTarget } from "./publish.ts";
import { createRecord, parseJson, readRecord } from "./records.ts";
import { Scratch } from "./scratch.ts";
import { stepRecord, type StepRecord } from "./steps.ts";
import { usage, type Usage } from "./usage.ts";

export interface ResolvedReference {
  digest: string;
  /** Absent when the reference was a digest. */
  name?: string;
  version?: number;
}

/** The artifacts that all apps share: content by digest, and names with versions and aliases that point to it. */
export class ArtifactStore {
  /** The data sets that users have uploaded. */
  readonly datasets: Datasets;
  /** The jobs that take uploads. */
  readonly claims: Claims;
  readonly #driver: StoreDriver;

  constructor(driver: StoreDriver) {
    this.#driver = driver;
    this.datasets = new Datasets(driver);
    this.claims = new Claims(driver);
  }

  /** Where it is, for messages. */
  get location(): string {
    return this.#driver.location;
  }

  /** The same by whatever address it is reached: see {@link identify}. */
  identity(): Promise<string> {
    return identify(this.#driver);
  }

  /** Stores an artifact under the next version of a name, once for each job: see {@link publish}. */
  publish(draft: ArtifactDraft, to: PublishTarget): Promise<VersionRecord> {
    return publish(this.#driver, draft, to);
  }

  /**
   * Gives an artifact that is there one more version, of any name, once for each job: as {@link publish}, without content.
   * @throws AppError `not_found`; `corrupt` when some of its content is damaged or missing; what `to.guard` throws.
   */
  async republish(digest: string, measurements: Measurements, to: PublishTarget): Promise<VersionRecord> {
    const { files } = await this.manifest(digest);
    const blobs = [digest, ...files.map((file) => file.digest)];
    return publishContent(this.#driver, { digest, measurements, blobs }, to, async () => {
      const [damage] = await this.verify(digest);
      if (damage) throw new AppError("corrupt", damage.message);
    });
  }

  /** What came out of a step, by the digest of all that went in: see {@link StepRecord}. @throws AppError `corrupt`. */
  step(key: string): Promise<StepRecord | undefined> {
    return readRecord(this.#driver, keys.step(key), stepRecord);
  }

  /** Keeps what came out of a step, in the place of what came out of it before. */
  async keepStep(key: string, record: StepRecord): Promise<void> {
    // Who looks for it in between finds none, and does the step.
    await this.#driver.remove(keys.step(key));
    await createRecord(this.#driver, keys.step(key), record);
  }

  /** A job's own place for what another host needs to continue it. */
  scratch(jobId: string): Scratch {
    return new Scratch(this.#driver, jobId);
  }

  /**
   * Finds what `name` (newest version), `name@version`, `name@alias` or `sha256:<hex>` stands for now.
   * @throws AppError `not_found`, saying what there is; `invalid_request` when it is none of these.
   */
  async resolve(reference: string): Promise<ResolvedReference> {
    const parsed = parseModelReference(reference);
    if (parsed === undefined || parsed.kind === "step")
      throw new AppError("invalid_request", `"${reference}" must be name, name@version, name@alias or sha256:<digest>`);
    if (parsed.kind === "digest") {
      await this.manifest(parsed.digest);
      return { digest: parsed.digest };
    }
    const { digest, name, version } = await this.#resolveName(parsed);
    return { digest, name, version };
  }

  /**
   * An artifact's manifest, checked against its digest.
   * @throws AppError `not_found`, also when the digest is that of a file; `corrupt`.
   */
  async manifest(digest: string): Promise<Manifest> {
    const found = await this.#findManifest(digest);
    if (found === undefined) throw new AppError("not_found", `the store has no artifact ${digest}`);
    return found;
  }

  /**
   * A file of an artifact, checked against its size and SHA-256.
   * @param which a path (`model.onnx`) or a role (`onnx`).
   * @throws AppError `not_found`, saying which files there are; `corrupt`, naming the file.
   */
  async readFile(manifest: Manifest, which: FileRole | (string & {})): Promise<Uint8Array> {
    const { files } = manifest;
    const file = files.find(({ path }) => path === which) ?? files.find(({ role }) => role === which);
    if (file === undefined) {
      const there = files.map(({ path, role }) => `${path} (${role})`).join(", ");
      throw new AppError("not_found", `the artifact has no file "${which}"; it has ${there}`);
    }
    const bytes = await getBlob(this.#driver, file.digest, file.path, file.size);
    if (bytes === undefined)
      throw new AppError("corrupt", `${file.path} is damaged: ${keys.blob(file.digest)} is missing`);
    return bytes;
  }

  /** Keeps content that has no name, for a day unless something comes to lead to it or a job claims it: see {@link putContent}. */
  putContent(bytes: Uint8Array): Promise<StoredContent> {
    return putContent(this.#driver, bytes);
  }

  /** As `putContent`, of a file: see {@link putContentFile}. */
  putContentFile(file: ContentFile & StoredContent): Promise<StoredContent> {
    return putContentFile(this.#driver, file);
  }

  /** Any content by its digest, checked against it. @throws AppError `not_found`; `corrupt`. */
  readContent(digest: string): Promise<Uint8Array> {
    return readContent(this.#driver, digest);
  }

  /** Every name, or those on a page, with its versions and aliases, sorted by name. */
  models(page?: Page<string>): Promise<ModelSummary[]> {
    return listModels(this.#driver, page);
  }

  /** One name with its versions and aliases. @throws AppError `not_found`, saying which models there are. */
  async model(name: string): Promise<ModelSummary> {
    return summarize(this.#driver, name, await findModel(this.#driver, name));
  }

  /**
   * The records of a name's versions, or of those on a page, oldest first.
   * @throws AppError `not_found`, saying which models there are.
   */
  async versions(name: string, page: Page<number> = {}): Promise<VersionRecord[]> {
    const model = await findModel(this.#driver, name);
    const wanted = versionsOn(page, model.versions);
    return Promise.all(wanted.map((version) => findVersion(this.#driver, name, model, version)));
  }

  /** @throws AppError `not_found`, saying which versions there are. */
  async version(name: string, version: number): Promise<VersionRecord> {
    return findVersion(this.#driver, name, await findModel(this.#driver, name), version);
  }

  /** Deletes a version; its number is not given again: see {@link deleteVersion}. */
  deleteVersion(name: string, version: number, options: DeleteOptions): Promise<DeletionRecord> {
    return deleteVersion(this.#driver, name, version, options);
  }

  /** Whether there was such a version and it was deleted. */
  isDeleted(name: string, version: number): Promise<boolean> {
    return isDeleted(this.#driver, name, version);
  }

  /**
   * Points an alias to a version.
   * @param options.generation the generation that the caller saw (0: there was none); without it the last writer wins.
   * @throws AppError `conflict` when the alias has moved elsewhere since.
   */
  async setAlias(
    name: string,
    alias: string,
    version: number,
    options: { actor: string; generation?: number },
  ): Promise<AliasRecord> {
    parse(aliasName, alias, "The alias", "alias");
    const model = await findModel(this.#driver, name);
    const { digest } = await findVersion(this.#driver, name, model, version);
    const { actor, generation } = options;
    return moveAlias(this.#driver, name, alias, { version, digest, actor }, (history) => {
      const last = history.at(-1);
      const current = last === undefined || model.deleted.includes(last.version) ? 0 : last.generation;
      if (generation === undefined || generation === current) return true;
      throw new AppError("conflict", `${name}@${alias} is at generation ${current}, not ${generation}: read it again`);
    });
  }

  /** Every place an alias has pointed to, oldest first; empty when there is no such alias. */
  async aliasHistory(name: string, alias: string): Promise<AliasRecord[]> {
    parse(modelName, name, "The model's name", "name");
    parse(aliasName, alias, "The alias", "alias");
    return aliasHistory(this.#driver, name, alias);
  }

  /** What an artifact was made from, up to the first models. @throws AppError `not_found`. */
  async lineage(digest: string): Promise<LineageNode> {
    await this.manifest(digest);
    const names = new Map<string, string[]>();
    for (const { name } of await this.models())
      for (const record of await this.versions(name))
        names.set(record.digest, [...(names.get(record.digest) ?? []), `${name}@${record.version}`]);
    return buildLineage(digest, names, (parent) => this.#findManifest(parent));
  }

  /**
   * Reads every byte of an artifact.
   * @returns what is damaged, file by file; empty when it is sound.
   * @throws AppError `not_found`; `corrupt` when the manifest itself is damaged.
   */
  async verify(digest: string): Promise<Issue[]> {
    const manifest = await this.manifest(digest);
    const issues: Issue[] = [];
    for (const { path } of manifest.files) {
      try {
        await this.readFile(manifest, path);
      } catch (error) {
        const failure = toAppError(error);
        if (failure.code !== "corrupt") throw failure;
        issues.push({ path, message: failure.message });
      }
    }
    return issues;
  }

  /** Reads every byte of the store, and says what is damaged: see {@link audit}. */
  audit(): Promise<Audit> {
    return audit(this.#driver);
  }

  /** Removes what nothing leads to any more, or says what that would be: see {@link collect}. */
  collect(options: CollectOptions = {}): Promise<Collection> {
    return collect(this.#driver, options);
  }

  /** How much there is: see {@link usage}. */
  usage(): Promise<Usage> {
    return usage(this.#driver);
  }

  async #resolveName(reference: Exclude<ModelReference, { kind: "digest" | "step" }>): Promise<VersionRecord> {
    const { name } = reference;
    const model = await findModel(this.#driver, name);
    if (reference.kind === "version") return findVersion(this.#driver, name, model, reference.version);
    if (reference.kind === "latest") return findVersion(this.#driver, name, model, model.versions.at(-1) ?? 0);
    const { version } = await findAlias(this.#driver, name, model, reference.alias);
    return findVersion(this.#driver, name, model, version);
  }

  /** @returns undefined when there is nothing, or a file that isn't a manifest. */
  async #findManifest(digest: string): Promise<Manifest | undefined> {
    parse(digestSchema, digest, "The digest", "digest");
    const bytes = await getBlob(this.#driver, digest, `the manifest ${digest}`);
    return bytes && manifestSchema.safeParse(parseJson(bytes)).data;
  }
}
