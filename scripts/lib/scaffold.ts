import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const templates = fileURLToPath(new URL("../templates", import.meta.url));

/** Where each kind of thing lives. */
const homes = {
  job: "packages/jobs/src",
  model: "packages/zoo/src/models",
  dataset: "packages/zoo/src/datasets",
} as const;

export type Thing = keyof typeof homes;

export function isThing(text: string | undefined): text is Thing {
  return text !== undefined && Object.hasOwn(homes, text);
}

/**
 * Makes the folder of a new job kind, model family or data set from its template.
 * @returns the files, relative to `root`.
 * @throws Error when the name can't be used or is taken.
 */
export async function scaffold(root: string, thing: Thing, name: string): Promise<string[]> {
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name)) throw new Error(`"${name}" must be lower case words joined by "-"`);
  const folder = join(root, homes[thing], name);
  await mkdir(join(folder, ".."), { recursive: true });
  await mkdir(folder).catch((cause: unknown) => {
    throw new Error(`${relative(root, folder)} is there already`, { cause });
  });
  const written: string[] = [];
  for (const template of await readdir(join(templates, thing))) {
    const file = join(folder, fill(template, name).replace(/\.tmpl$/, ""));
    await writeFile(file, fill(await readFile(join(templates, thing, template), "utf8"), name), { flag: "wx" });
    written.push(relative(root, file));
  }
  return written;
}

/** Puts the name in its several spellings into a template. */
function fill(template: string, name: string): string {
  const words = name.split("-");
  const pascal = words.map(capital).join("");
  const title = capital(words.join(" "));
  return template.replaceAll("{{name}}", name).replaceAll("{{Pascal}}", pascal).replaceAll("{{Title}}", title);
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
