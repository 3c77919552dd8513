import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";

/** One generated file: its path under the repository's root, and what must be in it. */
export interface GeneratedFile {
  path: string;
  text: string;
}

/** A record of one export of each folder: `{mlp: build}` of `models/<folder>/build.ts`. */
interface IndexEntry {
  /** The constant in the generated file. */
  constant: string;
  /** Where the folders lie, as imported from the generated file. */
  from: string;
  file: string;
  folders: string[];
  /** The name that each folder's file exports; without one, the entry imports the whole file when called. */
  exported?: string;
}

const header = "// Written by `npm run generate` from the folders beside it. Edit those.\n";

/** The indexes of all extension points, from the folders that are there now. */
export async function generatedFiles(root: string): Promise<GeneratedFile[]> {
  const jobs = await contractFolders(join(root, "packages/jobs/src"));
  const models = await contractFolders(join(root, "packages/zoo/src/models"));
  const datasets = await contractFolders(join(root, "packages/zoo/src/datasets"));
  const zoo = { models: { from: "../models", folders: models }, datasets: { from: "../datasets", folders: datasets } };
  const kinds = { from: "..", folders: jobs };
  return [
    index("packages/jobs/src/generated/catalog.ts", [
      { constant: "catalog", ...kinds, file: "contract.ts", exported: "definition" },
    ]),
    index("packages/jobs/src/generated/runners.ts", [{ constant: "runners", ...kinds, file: "run.ts" }]),
    index("packages/zoo/src/generated/catalog.ts", [
      { constant: "families", ...zoo.models, file: "contract.ts", exported: "family" },
      { constant: "datasets", ...zoo.datasets, file: "contract.ts", exported: "dataset" },
    ]),
    index("packages/zoo/src/generated/implementations.ts", [
      { constant: "builders", ...zoo.models, file: "build.ts", exported: "build" },
      { constant: "loaders", ...zoo.datasets, file: "load.ts", exported: "load" },
    ]),
  ];
}

/** Folders of `parent` that have a `contract.ts`, sorted. */
async function contractFolders(parent: string): Promise<string[]> {
  if (!existsSync(parent)) return [];
  const entries = await readdir(parent, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory() && existsSync(join(parent, entry.name, "contract.ts")))
    .map((entry) => entry.name)
    .toSorted();
}

function index(path: string, entries: IndexEntry[]): GeneratedFile {
  const imports = entries.flatMap(importLines);
  const sections = [header, imports.join(""), ...entries.map(record)];
  return { path, text: sections.filter((section) => section !== "").join("\n") };
}

function importLines({ exported, folders, from, file }: IndexEntry): string[] {
  if (exported === undefined) return [];
  return folders.map(
    (folder) => `import { ${exported} as ${identifier(folder, exported)} } from "${from}/${folder}/${file}";\n`,
  );
}

function record({ constant, exported, folders, from, file }: IndexEntry): string {
  const lines = folders.map((folder) => {
    const value = exported ? identifier(folder, exported) : `() => import("${from}/${folder}/${file}")`;
    return `  ${key(folder)}: ${value},\n`;
  });
  return `export const ${constant} = {${lines.length > 0 ? `\n${lines.join("")}` : ""}};\n`;
}

/** `fashion-mnist` and `load` give `fashionMnistLoad`: a valid identifier that no other import has. */
function identifier(folder: string, exported: string): string {
  const camel = folder.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase());
  return camel + exported.charAt(0).toUpperCase() + exported.slice(1);
}

function key(folder: string): string {
  return /^[a-z][a-z0-9]*$/i.test(folder) ? folder : `"${folder}"`;
}
