import { cp, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AppError } from "@whittle/contracts";
import { command, onPath, type CommandOptions } from "./command.ts";

/** Seconds that one unreachable mirror may cost. */
const patience = ["-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=10", "-o", "Acquire::https::Timeout=10"];
/** Whether this user may install system packages without being asked anything. */
export async function canInstallPackages(): Promise<boolean> {
  return (await elevation()) !== undefined;
}

/**
 * Installs Debian packages, as root or with a sudo that asks for no password.
 * @throws AppError `unavailable` where that is not allowed or fails.
 */
export async function installPackages(...packages: string[]): Promise<void> {
  const install = ["install", "-y", "--no-install-recommends", ...packages];
  await aptAsRoot(install).catch(async () => {
    await aptAsRoot(["update"]);
    await aptAsRoot(install);
  });
}

/**
 * Unpacks Debian packages, with no need of root, and copies `path` of what they hold to `target`.
 * @throws AppError `unavailable` where apt-get is missing or finds no such package.
 */
export async function unpackPackages(packages: string[], path: string, target: string): Promise<void> {
  if (!(await onPath("apt-get")) || !(await onPath("dpkg-deb"))) throw new AppError("unavailable", "no apt-get here");
  const folder = await mkdtemp(join(tmpdir(), "whittle-packages-"));
  try {
    const inFolder: CommandOptions = { cwd: folder };
    const download = (): Promise<string> => command("apt-get", [...patience, "download", ...packages], inFolder);
    await download().catch(async (error: unknown) => {
      if (!(await canInstallPackages())) throw error;
      await aptAsRoot(["update"]); // Fresh containers know no packages yet.
      await download();
    });
    for (const file of await readdir(folder)) await command("dpkg-deb", ["-x", file, "unpacked"], inFolder);
    await mkdir(target, { recursive: true });
    await cp(join(folder, "unpacked", path), target, { recursive: true, verbatimSymlinks: true });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function aptAsRoot(args: string[]): Promise<string> {
  const prefix = await elevation();
  if (!prefix) throw new AppError("unavailable", `apt-get ${args.join(" ")} needs root or sudo`);
  const [program = "", ...rest] = [
    ...prefix,
    "env",
    "DEBIAN_FRONTEND=noninteractive",
    "apt-get",
    ...patience,
    "-qq",
    ...args,
  ];
  return command(program, rest);
}

/** What to put before a command to run it as root; undefined where that can't be done. */
async function elevation(): Promise<string[] | undefined> {
  if (!(await onPath("apt-get"))) return undefined;
  if (process.getuid?.() === 0) return [];
  const allowed =
    (await onPath("sudo")) &&
    (await command("sudo", ["-n", "true"])
      .then(() => true)
      .catch(() => false));
  return allowed ? ["sudo", "-n"] : undefined;
}
