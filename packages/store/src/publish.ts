import {
  AppError,
  aliasName,
  encodeManifest,
  manifest as manifestSchema,
  measurements as measurementsSchema,
  modelName,
  parse,
  versionRecord,
  type ArtifactDraft,
  type Measurements,
  type VersionRecord,
} from "@whittle/contracts";
import { z } from "zod";
import { moveAlias } from "./aliases.ts";
import { digestOf, putBlob } from "./blobs.ts";
import { isDeleted } from "./deletion.ts";
import type { StoreDriver } from "./driver.ts";
import { keys, readModelKeys } from "./keys.ts";
import { underLease } from "./lease.ts";
import { createRecord, readRecord } from "./records.ts";

const target = z.object({
  name: modelName,
  alias: aliasName.optional(),
  jobId: z.string().min(1),
  epoch: z.int().positive().optional(),
  actor: z.string().min(1),
});

/** Where an artifact is published: under the next version of `name`, once for each `jobId`; `alias` is moved to it. */
export type PublishTarget = z.input<typeof target> & {
  /**
   * Throws when this attempt at the job may no longer publish, because a later one (a higher `epoch`) has begun or the job was
   * cancelled. It is asked right before the version record is created, and again when another job took the number first.
   */
  guard?: () => Promise<void>;
};

/**
 * Stores an artifact and gives it the next version of a name. What is written first is seen by nobody until what is written after it
 * is there: files, then the manifest, then the version record, then the alias. It may be interrupted anywhere and repeated.
 * @returns the job's version record: the one that is there already if the job was published before, by whatever epoch and under
 * whatever digest.
 * @throws what `guard` throws; what was written until then is seen by nobody.
 */
export async function publish(driver: StoreDriver, draft: ArtifactDraft, to: PublishTarget): Promise<VersionRecord> {
  parse(target, to, "The target of a publication");
  const measurements = parse(measurementsSchema, draft.measurements, "The draft", "measurements");
  const { digest, blobs } = contentsOf(draft);
  return publishContent(driver, { digest, measurements, blobs: [...blobs.keys()] }, to, async () => {
    for (const [blob, bytes] of blobs) await putBlob(driver, blob, bytes);
  });
}

/** An artifact's digest, and those of all content that it consists of. */
interface Content {
  digest: string;
  blobs: string[];
  measurements: Measurements;
}

/**
 * Gives content the next version of a name.
 * @param provide makes sure that all content is there; while it does, and until the version is there, none of it is collected.
 */
export async function publishContent(
  driver: StoreDriver,
  { digest, measurements, blobs }: Content,
  to: PublishTarget,
  provide: () => Promise<void>,
): Promise<VersionRecord> {
  const { name, alias, jobId, epoch, actor } = parse(target, to, "The target of a publication");
  const claim = { name, digest, jobId, epoch, measurements, createdAt: new Date().toISOString() };
  const record = await underLease(driver, blobs, async (held) => {
    await provide();
    return claimVersion(driver, claim, async () => {
      await held();
      await to.guard?.();
    });
  });
  const { version } = record;
  if (alias !== undefined && !(await isDeleted(driver, name, version))) {
    // The job moves the alias once, and never back from a newer version.
    await moveAlias(
      driver,
      name,
      alias,
      { version, digest: record.digest, actor },
      (history) => history.every((past) => past.version !== version) && (history.at(-1)?.version ?? 0) < version,
    );
  }
  return record;
}

/** What is to be written, each under its digest: the files, then the manifest, whose digest is the artifact's. */
function contentsOf(draft: ArtifactDraft): { digest: string; blobs: Map<string, Uint8Array> } {
  const { files: drafts, measurements: _measurements, ...rest } = draft;
  const paths = drafts.map(({ path }) => path);
  const twice = paths.find((path, index) => paths.indexOf(path) !== index);
  if (twice !== undefined) throw new AppError("invalid_request", `The draft has two files named ${twice}`);
  const blobs = new Map<string, Uint8Array>();
  const files = drafts.map(({ bytes, ...file }) => {
    const digest = digestOf(bytes);
    blobs.set(digest, bytes);
    return { ...file, size: bytes.byteLength, digest };
  });
  const encoded = encodeManifest(parse(manifestSchema, { schemaVersion: 1, ...rest, files }, "The draft"));
  const digest = digestOf(encoded);
  blobs.set(digest, encoded);
  return { digest, blobs };
}

/**
 * Creates the next version record, or finds the job's. Version n is only tried when every number below n was seen to be taken by
 * another job; since a number can be taken once, no job gets two, however many processes publish it at the same moment.
 */
async function claimVersion(
  driver: StoreDriver,
  record: Omit<VersionRecord, "version">,
  guard: () => Promise<void>,
): Promise<VersionRecord> {
  const seen = new Set<number>();
  for (;;) {
    const highest = await highestVersion(driver, record.name);
    const unseen = Array.from({ length: highest }, (_, index) => index + 1).filter((version) => !seen.has(version));
    const found = await Promise.all(unseen.map((n) => readRecord(driver, keys.version(record.name, n), versionRecord)));
    const own = found.find((other) => other?.jobId === record.jobId);
    if (own !== undefined) return own;
    for (const version of unseen) seen.add(version);
    await guard();
    const next = { ...record, version: highest + 1 };
    if (await createRecord(driver, keys.version(next.name, next.version), next)) return next;
  }
}

async function highestVersion(driver: StoreDriver, name: string): Promise<number> {
  const listed = await driver.list(keys.versions(name));
  return readModelKeys(listed).get(name)?.versions.at(-1) ?? 0;
}
