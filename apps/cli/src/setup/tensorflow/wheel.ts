import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdtemp, readdir, rename, rm, symlink } from "node:fs/promises";
import { basename, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { AppError } from "@whittle/contracts";
import { z } from "zod";
import { command } from "../command.ts";
import { download, fetchJson } from "../download.ts";
import { pip } from "./pip.ts";

export const wheelVersion = "2.21.0";

/** SHA-256 of the wheels that were tried. Others are trusted as far as the index's own checksums, and tested by computing. */
const knownWheels: Record<string, string> = {
  "tensorflow_cpu-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl":
    "2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c",
};

/** Headers that the binding includes, directly or not. */
const headers = ["tensorflow/c/", "tensorflow/core/platform/ctstring", "tsl/platform/ctstring", "xla/tsl/c/"];

/** PyPI has no `tensorflow-cpu` for arm64: there `tensorflow` is the CPU build. */
const cpuPackage = process.arch === "arm64" ? "tensorflow" : "tensorflow-cpu";
const machine = process.arch === "arm64" ? "aarch64" : "x86_64";

/** Puts `lib` and `include` of the CPU build into `folder`, from the index that pip is set up for. */
export async function cpuFromPip(folder: string): Promise<void> {
  const scratch = await mkdtemp(join(folder, "download-"));
  await pip("download", ["--no-deps", "--dest", scratch, `${cpuPackage}==${wheelVersion}`], 600);
  const [wheel] = await readdir(scratch);
  await unpackWheel(join(scratch, wheel ?? ""), folder);
  await rm(scratch, { recursive: true });
}

/** The same from PyPI itself, for machines without pip. */
export async function cpuFromPyPI(folder: string): Promise<void> {
  const index = z.object({
    urls: z.array(z.object({ filename: z.string(), url: z.url(), digests: z.object({ sha256: z.string() }) })),
  });
  const { urls } = index.parse(await fetchJson(`https://pypi.org/pypi/${cpuPackage}/${wheelVersion}/json`));
  const wheels = urls.filter(({ filename }) => filename.endsWith(`_${machine}.whl`) && filename.includes("manylinux"));
  const wheel = wheels.find(({ filename }) => filename.includes("cp311")) ?? wheels[0];
  if (!wheel) throw new AppError("unavailable", `PyPI has no ${cpuPackage} ${wheelVersion} for ${machine}`);
  const file = join(folder, basename(wheel.filename));
  await download(wheel.url, file, wheel.digests.sha256);
  await unpackWheel(file, folder);
  await rm(file);
}

/**
 * Puts the CUDA build and NVIDIA's libraries into `folder`. The layout of site-packages is kept, because the libraries find each
 * other by paths relative to themselves.
 */
export async function cudaFromPip(folder: string): Promise<void> {
  await pip("install", ["--target", join(folder, "site"), `tensorflow[and-cuda]==${wheelVersion}`], 3600);
  await symlink("site/tensorflow", join(folder, "lib"));
  await symlink("site/tensorflow/include", join(folder, "include"));
}

/** A wheel is a zip; Node reads none, and Python is given on the machines that this runs on. */
async function unpackWheel(wheel: string, folder: string): Promise<void> {
  await verify(wheel);
  const program = `
import sys, zipfile
wheel, folder, *headers = sys.argv[1:]
libraries = ("tensorflow/libtensorflow_cc.so.2", "tensorflow/libtensorflow_framework.so.2")
wanted = (*libraries, *("tensorflow/include/" + header for header in headers))
archive = zipfile.ZipFile(wheel)
archive.extractall(folder, [name for name in archive.namelist() if name.startswith(wanted)])`;
  await command("python3", ["-c", program, wheel, folder, ...headers]);
  await rename(join(folder, "tensorflow/include"), join(folder, "include"));
  await rename(join(folder, "tensorflow"), join(folder, "lib"));
}

async function verify(wheel: string): Promise<void> {
  const expected = knownWheels[basename(wheel)];
  if (expected === undefined) return;
  const hash = createHash("sha256");
  await pipeline(createReadStream(wheel), hash);
  const actual = hash.digest("hex");
  if (actual !== expected) throw new AppError("corrupt", `${basename(wheel)} has SHA-256 ${actual}, not ${expected}`);
}
