import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { realpath, symlink } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "@whittle/contracts";
import { nvidiaGpus } from "../gpu.ts";
import type { Settings } from "../settings.ts";
import { libraries } from "./binding.ts";
import { withInstalledPip } from "./pip.ts";
import { cpuFromTarball, tarballVersion } from "./tarball.ts";
import { cpuFromPip, cpuFromPyPI, cudaFromPip, wheelVersion } from "./wheel.ts";

/** One TensorFlow: the folder that keeps it, and the ways to fill that folder with `lib` and `include`, best first. */
export interface Build {
  name: string;
  folder: string;
  ways: { name: string; size: string; fill(folder: string): Promise<void> }[];
  /** Where the binding looks for the libraries, when that is not `lib` beside it. */
  rpath?: string;
}

/** The builds to try on this machine, in order. */
export async function buildsFor(settings: Settings): Promise<Build[]> {
  if (process.platform !== "linux") return [];
  const inCache = (name: string): string => join(settings.cacheDir, "tensorflow", name);
  const builds: Build[] = [];
  if (settings.tensorflowLibDir !== undefined) builds.push(await givenBuild(settings.tensorflowLibDir, inCache));
  const wantsCuda = settings.tensorflowBuild ? settings.tensorflowBuild === "cuda" : (await nvidiaGpus()).length > 0;
  if (wantsCuda) {
    const ways = [{ name: "pip", size: "3 GB", fill: cudaFromPip }];
    builds.push({ name: `TensorFlow ${wheelVersion} for CUDA`, folder: inCache(`${wheelVersion}-cuda`), ways });
  }
  const pip = { name: "pip", size: "270 MB", fill: cpuFromPip };
  const pypi = { name: "pypi.org", size: "270 MB", fill: cpuFromPyPI };
  const installedPip = { ...pip, name: "pip, once python3-pip is installed", fill: withInstalledPip(cpuFromPip) };
  builds.push(
    {
      name: `TensorFlow ${wheelVersion}`,
      folder: inCache(`${wheelVersion}-cpu`),
      ways: [pip, pypi, installedPip],
    },
    {
      name: `libtensorflow ${tarballVersion}`,
      folder: inCache(`${tarballVersion}-cpu`),
      ways: [{ name: "storage.googleapis.com", size: "150 MB", fill: cpuFromTarball }],
    },
  );
  return builds;
}

/** TENSORFLOW_LIB_DIR: the `lib` of a libtensorflow, or the `tensorflow` folder of an installed wheel. */
async function givenBuild(given: string, inCache: (name: string) => string): Promise<Build> {
  const libraryFolder = await realpath(given).catch(() => given);
  const key = createHash("sha256").update(libraryFolder).digest("hex").slice(0, 12);
  const fill = async (folder: string): Promise<void> => {
    libraries(libraryFolder);
    const places = [join(libraryFolder, "include"), join(libraryFolder, "../include")];
    const include = places.find((place) => existsSync(join(place, "tensorflow/c/c_api.h")));
    if (!include) throw new AppError("unavailable", `no tensorflow/c/c_api.h in ${places.join(" or ")}`);
    await symlink(libraryFolder, join(folder, "lib"));
    await symlink(include, join(folder, "include"));
  };
  const name = `TENSORFLOW_LIB_DIR (${given})`;
  return {
    name,
    folder: inCache(`given-${key}`),
    ways: [{ name: "your folder", size: "nothing to fetch", fill }],
    rpath: libraryFolder,
  };
}
