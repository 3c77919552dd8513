import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { AppError, cacheFolder, parse } from "@whittle/contracts";
import { datasetName, datasets, type DatasetContract, type DatasetSource } from "./catalog.ts";
import { assemble, type Dataset, type SampleLimit } from "./dataset.ts";
import { loaders } from "./generated/implementations.ts";

export interface DatasetPlaces {
  /** Folders that hold data sets, each in a folder of its name; searched first. */
  dirs?: string[];
}

/** Where data sets that are not installed as packages are kept for the user. */
const userDatasets = join(cacheFolder(process.env), "datasets");

/**
 * The folder that holds a data set: `<dir>/<name>` of the given ones, its package's, or the user's cache.
 * @returns undefined when it is nowhere, or its files are not complete.
 * @throws AppError `invalid_request` when there is no data set of this name.
 */
export function findDataset(name: string, places: DatasetPlaces = {}): Promise<string | undefined> {
  const known = parse(datasetName, name, "The data set");
  const folders = candidates(datasets[known], places);
  return Promise.resolve(folders.find((folder) => loaders[known].isHere(folder)));
}

/**
 * Reads a data set; with a limit only the first samples of each part.
 * @throws AppError `invalid_request` when there is no data set of this name, `unsupported` when this machine does not have it,
 * `corrupt` when its files are not what they should be.
 */
export async function loadDataset(
  name: string,
  options: DatasetPlaces & { limit?: SampleLimit } = {},
): Promise<Dataset> {
  const known = parse(datasetName, name, "The data set");
  const folder = await findDataset(name, options);
  if (folder === undefined) throw missing(datasets[known], options, loaders[known].files ?? []);
  return assemble(datasets[known], await loaders[known].load(folder), options.limit);
}

function candidates({ name, sources }: DatasetContract, { dirs = [] }: DatasetPlaces): string[] {
  return [...dirs.map((dir) => join(dir, name)), ...sources.flatMap(sourceFolders), join(userDatasets, name)];
}

function sourceFolders(source: DatasetSource): string[] {
  if (source.type === "bundled") return ["bundled"];
  if (source.type === "debian") return [source.path];
  return packageFolders(source.package).map((folder) => join(folder, source.path));
}

/** Where npm put a package: as seen from here, and from the folder that the process runs in. */
function packageFolders(name: string): string[] {
  const paths = createRequire(import.meta.url).resolve.paths(name) ?? [];
  const here = join(process.cwd(), "node_modules");
  return [...paths, here].map((path) => join(path, name)).filter((folder) => existsSync(folder));
}

function missing(contract: DatasetContract, { dirs = [] }: DatasetPlaces, files: string[]): AppError {
  const places = [...dirs, userDatasets].map((dir) => join(dir, contract.name));
  const packages = contract.sources.flatMap((source) =>
    source.type === "debian" ? [`apt-get install ${source.package}`] : [],
  );
  const setUp = `npm run setup -- --dataset ${contract.name}`;
  const put = `put ${files.join(", ")} into ${places.join(" or ")}`;
  return new AppError(
    "unsupported",
    `This machine does not have the data set ${contract.name}: ${[setUp, ...packages, put].join(", or ")}`,
  );
}
