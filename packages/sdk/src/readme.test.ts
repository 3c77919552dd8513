import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it, onTestFinished } from "vitest";

const root = fileURLToPath(new URL("../../..", import.meta.url));
// In the checkout, where packages find each other, and ignored by git.
const cache = join(root, "node_modules", ".cache");

it.each(["packages/sdk/README.md", "README.md"])(
  "the program in %s compiles under the repository's settings",
  async (page) => {
    const [, program] = /^```ts\n(.*?)^```$/ms.exec(await readFile(join(root, page), "utf8")) ?? [];
    expect(program).toContain('from "@whittle/sdk"');
    await mkdir(cache, { recursive: true });
    const folder = await mkdtemp(join(cache, "readme-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    await writeFile(join(folder, "program.mts"), program ?? "");
    const config = { extends: join(root, "tsconfig.json"), include: [], files: ["program.mts"] };
    await writeFile(join(folder, "tsconfig.json"), JSON.stringify(config));
    const tsc = promisify(execFile)(join(root, "node_modules", ".bin", "tsc"), ["-p", folder]);
    const errors = await tsc.then(
      () => "",
      ({ stdout }: { stdout: string }) => stdout,
    );
    expect(errors).toBe("");
  },
);
