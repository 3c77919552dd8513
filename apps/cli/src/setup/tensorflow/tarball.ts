import { rm } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "@whittle/contracts";
import { command } from "../command.ts";
import { download } from "../download.ts";

/** The last version that TensorFlow's own page of C libraries offers for Linux. */
export const tarballVersion = "2.18.0";

/** Puts `lib` and `include` of the official libtensorflow (CPU) into `folder`. No checksum is published: it is tested by computing. */
export async function cpuFromTarball(folder: string): Promise<void> {
  if (process.arch !== "x64") throw new AppError("unavailable", "libtensorflow is published for x86-64 only");
  const url = `https://storage.googleapis.com/tensorflow/versions/${tarballVersion}/libtensorflow-cpu-linux-x86_64.tar.gz`;
  const archive = join(folder, "libtensorflow.tar.gz");
  await download(url, archive);
  await command("tar", ["-xzf", archive, "-C", folder]);
  await rm(archive);
}
