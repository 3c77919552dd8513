import { join } from "node:path";
import { build } from "esbuild";

/** Makes one program of a fixture, so that many processes of it start quickly. @returns where it is in `folder`. */
export async function bundleFixture(name: string, folder: string): Promise<string> {
  const entryPoints = [join(import.meta.dirname, "..", "fixtures", `${name}.ts`)];
  const outExtension = { ".js": ".mjs" };
  // What is imported lazily becomes a file of its own, so that it costs nothing to start without it.
  const options = { bundle: true, splitting: true, minify: true, platform: "node", format: "esm" } as const;
  await build({ entryPoints, outdir: folder, outExtension, ...options });
  return join(folder, `${name}.mjs`);
}
