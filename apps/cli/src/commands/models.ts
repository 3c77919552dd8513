import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AppError, parseModelReference } from "@whittle/contracts";
import type { LineageNode } from "@whittle/sdk";
import type { Command } from "commander";
import { printJson } from "../terminal/json.ts";
import { table } from "../terminal/table.ts";
import { createClient, readJson } from "./client.ts";
import { count, numberOf } from "./options.ts";
import { inputsOf } from "./tensor.ts";

const reference = "name, name@version or name@alias";

/** `models` with its subcommands, `report`, `download` and `predict`: what jobs have made, and what it answers. */
export function addModels(program: Command): void {
  addNames(
    program.command("models").description("list the published models; versions, lineage, … of one").action(models),
  );
  addArtifacts(program);
}

function addNames(list: Command): void {
  list
    .command("versions")
    .description("list a model's versions, oldest first")
    .argument("<name>", "the model's name")
    .action(listVersions);
  list
    .command("lineage")
    .description("show what a model was made from")
    .argument("<model>", `${reference}, or sha256:<digest>`)
    .action(async (model: string) => console.log(tree(await createClient().lineage(model)).join("\n")));
  list
    .command("manifest")
    .description("print a model's manifest: what it is, what it was made from, its files (JSON)")
    .argument("<model>", `${reference}, or sha256:<digest>`)
    .action(async (model: string) => printJson(await createClient().manifest(model)));
  list
    .command("alias")
    .description("set an alias, or move it to another version; the serving app follows")
    .argument("<name>", "the model's name")
    .argument("<alias>", "such as prod")
    .argument("<version>", "number of the version", numberOf(count))
    .action(moveAlias);
  list
    .command("delete")
    .description("delete a version of a model; its number is not given again")
    .argument("<version>", "name@version")
    .option("--force", "also where an alias points to it, or a job that has not ended takes it")
    .action(deleteVersion);
}

function addArtifacts(program: Command): void {
  program
    .command("report")
    .description("print a model's card: what was measured, beside what it was made from, and what it is not for")
    .argument("<model>", reference)
    .option("--chart <file.svg>", "also write what it takes of the size and time of what it was made from, as a chart")
    .action(report);
  program
    .command("download")
    .description("write a model's files and its card into a folder")
    .argument("<model>", reference)
    .requiredOption("--to <folder>", "the folder; it is made where there is none")
    .action(download);
  program
    .command("predict")
    .description("run a served model on an input")
    .argument("<model>", reference)
    .requiredOption(
      "--input <json>",
      "a nested array for the model's one input ([[…], …]: a batch), the protocol's {inputs}, or @file.json",
    )
    .action(predict);
}

async function models(): Promise<void> {
  const rows = (await createClient().models()).map(({ name, versions, aliases }) => [
    name,
    String(versions.at(-1) ?? ""),
    Object.entries(aliases)
      .map(([alias, { version }]) => `${alias} -> ${version}`)
      .join(", "),
  ]);
  console.log(rows.length === 0 ? "no models" : table([["MODEL", "NEWEST", "ALIASES"], ...rows]));
}

async function listVersions(name: string): Promise<void> {
  const client = createClient();
  const [records, { aliases }] = await Promise.all([client.versions(name), client.model(name)]);
  const rows = records.map(({ version, createdAt, jobId, digest, measurements: { recommendation } }) => [
    String(version),
    Object.keys(aliases)
      .filter((each) => aliases[each]?.version === version)
      .join(", "),
    createdAt,
    jobId,
    recommendation === undefined ? "" : recommendation.recommended ? "yes" : "no",
    digest,
  ]);
  const head = ["VERSION", "ALIASES", "CREATED", "JOB", "RECOMMENDED", "DIGEST"];
  console.log(rows.length === 0 ? "no versions" : table([head, ...rows]));
}

async function moveAlias(name: string, which: string, version: number): Promise<void> {
  const record = await createClient().setAlias(name, which, version);
  console.log(`${name}@${which} is ${name}@${record.version}`);
}

/** A line for a model, and below it those that it was made from: `teacher fashion-teacher@1  sha256:…`. */
function tree({ digest, names, role, parents }: LineageNode, depth = 0): string[] {
  const own = `${"  ".repeat(depth)}${role === undefined ? "" : `${role} `}${[...names, digest].join("  ")}`;
  return [own, ...parents.flatMap((parent) => tree(parent, depth + 1))];
}

async function deleteVersion(version: string, { force }: { force?: boolean }): Promise<void> {
  const parsed = parseModelReference(version);
  if (parsed?.kind !== "version")
    throw new AppError(
      "invalid_request",
      `"${version}" must be name@version, such as small@3: a version is deleted, not an alias`,
    );
  await createClient().deleteVersion(parsed.name, parsed.version, { force: force === true });
  console.log(`deleted ${version}; whittle store gc --delete removes its files once it was deleted for a day`);
}

async function report(model: string, { chart }: { chart?: string }): Promise<void> {
  const client = createClient();
  console.log(await client.report(model));
  if (chart === undefined) return;
  await writeFile(chart, await client.chart(model));
}

async function download(model: string, { to }: { to: string }): Promise<void> {
  const client = createClient();
  const [{ files }, card] = await Promise.all([client.manifest(model), client.report(model)]);
  await mkdir(to, { recursive: true });
  for (const { path } of files) await writeFile(join(to, path), await client.download(model, path));
  await writeFile(join(to, "README.md"), card);
  console.log([...files.map(({ path }) => path), "README.md"].map((path) => join(to, path)).join("\n"));
}

async function predict(model: string, flags: { input: string }): Promise<void> {
  const client = createClient();
  const value = await readJson(flags.input, "--input");
  printJson(await client.predict(model, inputsOf(await client.servedModel(model), value, "--input")));
}
