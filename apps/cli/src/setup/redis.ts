import { chmod, mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { toAppError } from "@whittle/contracts";
import { findRedisServer } from "@whittle/queue/server";
import { command } from "./command.ts";
import type { Finding } from "./finding.ts";
import { makeFolder, replaceLink } from "./folders.ts";
import type { Settings } from "./settings.ts";
import { canInstallPackages, installPackages, unpackPackages } from "./system-packages.ts";

/** Makes sure that there is a Redis to use: the one at REDIS_URL, else a redis-server program, which is installed when it is missing. */
export async function setUpRedis({ redisUrl, cacheDir }: Settings, say: (what: string) => void): Promise<Finding> {
  const subject = "Redis";
  if (redisUrl !== undefined)
    return { subject, status: "ok", found: `REDIS_URL is given: ${withoutPassword(redisUrl)}` };
  const present = await findRedisServer().catch(() => undefined);
  if (present !== undefined) return { subject, status: "ok", found: `${present}, ${await redisVersion(present)}` };
  try {
    say("Redis: none on PATH; taking it from the Debian package redis-tools");
    const program = join(cacheDir, "bin/redis-server");
    if (await canInstallPackages()) await linkInstalled(program);
    else await linkUnpacked(program, join(cacheDir, "redis"));
    return { subject, status: "ok", found: `${program}, ${await redisVersion(program)}` };
  } catch (error) {
    const advice =
      "apt-get install redis-server, or docker run -d -p 6379:6379 redis:7 redis-server --appendonly yes and REDIS_URL=redis://127.0.0.1:6379";
    return { subject, status: "missing", found: toAppError(error).message, advice };
  }
}

/** `7.0.15`, by asking the program. */
async function redisVersion(program: string): Promise<string> {
  return (
    /v=([\d.]+)/.exec(await command(program, ["--version"], { timeoutSeconds: 10 }))?.[1] ?? "of an unknown version"
  );
}

/** The URL as it may be printed. */
export function withoutPassword(url: string): string {
  return url.replace(/\/\/[^@/]*@/, "//");
}

/**
 * The package redis-tools holds the whole server, under a name that makes it a checking tool; unlike the package redis-server it
 * starts no daemon on port 6379.
 */
const serverInTools = "usr/bin/redis-check-rdb";

async function linkInstalled(program: string): Promise<void> {
  await installPackages("redis-tools");
  await replaceLink(program, `/${serverInTools}`);
}

/** Without root: the package and the libraries that it needs, unpacked, with a script that shows the way to them. */
async function linkUnpacked(program: string, target: string): Promise<void> {
  const listed = await command("apt-cache", ["depends", "--important", "redis-tools"]);
  const libraries = [...listed.matchAll(/^ {2}Depends: (lib(?!c6)\S+)/gm)].map(([, name]) => name ?? "");
  await makeFolder(target, async (folder) => {
    await unpackPackages(["redis-tools", ...libraries], "usr", join(folder, "usr"));
    const triplets = (await readdir(join(folder, "usr/lib"))).filter((name) => name.includes("-linux-"));
    await symlink(serverInTools, join(folder, "redis-server"));
    const paths = triplets.map((triplet) => join(target, "usr/lib", triplet)).join(":");
    const script = `#!/bin/sh\nLD_LIBRARY_PATH=${paths} exec ${join(target, "redis-server")} "$@"\n`;
    await writeFile(join(folder, "run"), script);
    await chmod(join(folder, "run"), 0o755);
  });
  await mkdir(join(program, ".."), { recursive: true });
  await replaceLink(program, join(target, "run"));
}
