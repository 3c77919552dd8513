import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";

export const root = fileURLToPath(new URL("../../..", import.meta.url));

/** The job kinds give way to the chaos kind; all else is what it is. */
const replaced: Record<string, string> = {
  [join(root, "packages/jobs/src/generated/catalog.ts")]: join(import.meta.dirname, "job/catalog.ts"),
  [join(root, "packages/jobs/src/generated/runners.ts")]: join(import.meta.dirname, "job/runners.ts"),
};

const bundled = /^(zod|@whittle)(\/|$)/;

const chaosKind: Plugin = {
  name: "chaos-kind",
  setup: (plugins) => {
    plugins.onResolve({ filter: /^\..*\/(catalog|runners)\.ts$/ }, ({ path, resolveDir }) => {
      const instead = replaced[join(resolveDir, path)];
      return instead === undefined ? undefined : { path: instead };
    });
    // A chaos job computes no tensors; without this its processes would load TensorFlow before they get it.
    plugins.onLoad({ filter: /\/engine\/src\/runtime\/init\.ts$/ }, () => ({
      contents: "export const initEngine = async () => {};",
    }));
    // Packages of others stay where they are, as some look for files beside them; but for those that children load.
    plugins.onResolve({ filter: /^[@a-z]/ }, ({ path }) => (bundled.test(path) ? undefined : { path, external: true }));
  },
};

/**
 * Makes `api.js`, `worker.js` and the worker's `child.js` and `probe.js` in `folder` from the apps' own sources, so that hundreds of
 * processes start quickly; and `clock.js`, which gives them another clock. The folder must lie in the repository, where Node finds the packages.
 */
export async function buildPrograms(folder: string): Promise<void> {
  await build({
    entryPoints: {
      api: join(root, "apps/api/src/main.ts"),
      worker: join(root, "apps/worker/src/main.ts"),
      child: join(root, "apps/worker/src/child.ts"),
      probe: join(import.meta.dirname, "job/probe.ts"),
      clock: join(import.meta.dirname, "job/clock.ts"),
    },
    outdir: folder,
    bundle: true,
    splitting: true,
    minify: true,
    platform: "node",
    format: "esm",
    plugins: [chaosKind],
    logLevel: "warning",
  });
}
