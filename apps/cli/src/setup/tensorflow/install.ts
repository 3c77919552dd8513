import { existsSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { AppError, toAppError } from "@whittle/contracts";
import { makeFolder, replaceLink } from "../folders.ts";
import type { Settings } from "../settings.ts";
import { checkBinding, compileBinding, findCompiler, type BindingReport } from "./binding.ts";
import { buildsFor, type Build } from "./builds.ts";

export interface InstalledTensorFlow extends BindingReport {
  folder: string;
  /** Builds that were tried before and gave nothing, each with its reason. */
  failures: string[];
}

/**
 * Makes `@tensorflow/tfjs-node-gpu` load a native TensorFlow that computes: the first of {@link buildsFor} that can be had is put into
 * the user's cache, tried out and linked into node_modules. A binding that the user has put there stays when it works.
 * @param say is told before something that takes long.
 * @throws AppError `unavailable` with the reason of each build when none works.
 */
export async function installTensorFlow(settings: Settings, say: (what: string) => void): Promise<InstalledTensorFlow> {
  const link = join(settings.root, "node_modules/@tensorflow/tfjs-node-gpu/lib/napi-v8/tfjs_binding.node");
  const linked = await realpath(link).catch(() => undefined);
  const failures: string[] = [];
  for (const build of await candidates(settings, linked)) {
    const binding = join(build.folder, "tfjs_binding.node");
    try {
      if (!existsSync(binding)) await make(build, settings.root, say);
      const report = await checkBinding(binding);
      if (linked !== (await realpath(binding))) await replaceLink(link, binding);
      return { ...report, folder: build.folder, failures };
    } catch (error) {
      const advice = existsSync(build.folder) ? ` (to make it again, delete ${build.folder})` : "";
      failures.push(`${build.name}: ${toAppError(error).message}${advice}`);
    }
  }
  throw new AppError("unavailable", failures.join("; "));
}

async function candidates(settings: Settings, linked: string | undefined): Promise<Build[]> {
  const builds = await buildsFor(settings);
  const isOurs = linked === undefined || !relative(settings.cacheDir, linked).startsWith("..");
  if (isOurs || settings.tensorflowLibDir !== undefined) return builds;
  return [{ name: "the binding in node_modules", folder: dirname(linked), ways: [] }, ...builds];
}

/** Fills the build's folder in the first way that works. */
async function make(build: Build, root: string, say: (what: string) => void): Promise<void> {
  const compiler = await findCompiler();
  const failures: string[] = [];
  for (const way of build.ways) {
    say(`${build.name} from ${way.name} (${way.size}) into ${build.folder}`);
    try {
      await makeFolder(build.folder, async (folder) => {
        await way.fill(folder);
        await compileBinding(compiler, root, folder, build.rpath);
      });
      return;
    } catch (error) {
      failures.push(`${way.name}: ${toAppError(error).message}`);
    }
  }
  throw new AppError("unavailable", failures.join("; "));
}
