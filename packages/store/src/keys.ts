/** Where everything lies in the store. */
export const keys = {
  identity: "identity.json",
  blob: (digest: string) => `blobs/sha256/${digest.slice("sha256:".length)}`,
  model: (name: string) => `models/${name}/`,
  versions: (name: string) => `models/${name}/versions/`,
  version: (name: string, version: number) => `models/${name}/versions/${version}.json`,
  deletion: (name: string, version: number) => `models/${name}/deleted/${version}.json`,
  alias: (name: string, alias: string) => `models/${name}/refs/${alias}/`,
  aliasGeneration: (name: string, alias: string, generation: number) =>
    `models/${name}/refs/${alias}/${generation}.json`,
  datasetsOf: (name: string) => `datasets/${name}/`,
  dataset: (name: string, version: number) => `datasets/${name}/${version}.json`,
  datasetDeletion: (name: string, version: number) => `datasets/${name}/deleted/${version}.json`,
  claim: (digest: string, jobId: string) => `uploads/${digest.slice("sha256:".length)}/${jobId}.json`,
  step: (key: string) => `steps/${key}.json`,
  lease: (id: string) => `leases/${id}.json`,
  collection: (id: string) => `collections/${id}.json`,
  scratchOf: (jobId: string) => `scratch/${jobId}/`,
  scratch: (jobId: string, name: string) => `scratch/${jobId}/${name}`,
};

/** The digest that a blob's key stands for. */
export function digestOfKey(key: string): string {
  return `sha256:${key.slice(key.lastIndexOf("/") + 1)}`;
}

/** What the keys under `models/` say about one model: version numbers ascending, the newest generation of each alias. */
export interface ModelKeys {
  versions: number[];
  /** Those that were deleted; they are not among `versions`. */
  deleted: number[];
  aliases: Map<string, number>;
}

const recordKey = /^models\/([^/]+)\/(versions|deleted)\/(\d+)\.json$/;
const aliasKey = /^models\/([^/]+)\/refs\/([^/]+)\/(\d+)\.json$/;

/** Reads the names, versions and alias generations out of listed keys. A name counts once it has a version, deleted or not. */
export function readModelKeys(listed: string[]): Map<string, ModelKeys> {
  const models = new Map<string, ModelKeys>();
  for (const key of listed) {
    const [, name, which, version] = recordKey.exec(key) ?? [];
    if (name === undefined) continue;
    const model: ModelKeys = models.get(name) ?? { versions: [], deleted: [], aliases: new Map() };
    model[which === "deleted" ? "deleted" : "versions"].push(Number(version));
    models.set(name, model);
  }
  for (const key of listed) {
    const [, name, alias, generation] = aliasKey.exec(key) ?? [];
    const aliases = models.get(name ?? "")?.aliases;
    if (alias === undefined || aliases === undefined) continue;
    aliases.set(alias, Math.max(Number(generation), aliases.get(alias) ?? 0));
  }
  for (const model of models.values()) withoutDeleted(model);
  return models;
}

const datasetKey = /^datasets\/([^/]+)\/(deleted\/)?(\d+)\.json$/;

/** Reads the names and versions of data sets out of listed keys; both ascending, those that were deleted apart. */
export function readDatasetKeys(listed: string[]): Map<string, Pick<ModelKeys, "versions" | "deleted">> {
  const datasets = new Map<string, Pick<ModelKeys, "versions" | "deleted">>();
  for (const key of listed) {
    const [, name, deleted, version] = datasetKey.exec(key) ?? [];
    if (name === undefined) continue;
    const found = datasets.get(name) ?? { versions: [], deleted: [] };
    found[deleted === undefined ? "versions" : "deleted"].push(Number(version));
    datasets.set(name, found);
  }
  for (const found of datasets.values()) withoutDeleted(found);
  return datasets;
}

function withoutDeleted(found: Pick<ModelKeys, "versions" | "deleted">): void {
  found.versions = found.versions.filter((version) => !found.deleted.includes(version)).toSorted((a, b) => a - b);
  found.deleted.sort((a, b) => a - b);
}
