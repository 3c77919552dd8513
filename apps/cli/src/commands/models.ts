import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AppError, datatype, parse, parseModelReference } from "@whittle/contracts";
import type { InferInput, ServedModel } from "@whittle/sdk";
import type { Command } from "commander";
import { z } from "zod";
import { table } from "../terminal/table.ts";
import { createClient, readJson } from "./client.ts";

const reference = "name, name@version or name@alias";

/** `models`, `models delete`, `report`, `download` and `predict`: what jobs have made, and what it answers. */
export function addModels(program: Command): void {
  const list = program.command("models").description("list the published models").action(models);
  list
    .command("delete")
    .description("delete a version of a model; its number is not given again")
    .argument("<version>", "name@version")
    .option("--force", "also where an alias points to it, or a job that has not ended takes it")
    .action(deleteVersion);
  program
    .command("report")
    .description("print a model's card: what was measured, beside what it was made from, and what it is not for")
    .argument("<model>", reference)
    .action(async (model: string) => console.log(await createClient().report(model)));
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
      "an array for the model's one input (a batch), the protocol's {inputs}, or @file.json",
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

async function download(model: string, { to }: { to: string }): Promise<void> {
  const client = createClient();
  const [{ files }, card] = await Promise.all([client.manifest(model), client.report(model)]);
  await mkdir(to, { recursive: true });
  for (const { path } of files) await writeFile(join(to, path), await client.download(model, path));
  await writeFile(join(to, "README.md"), card);
  console.log([...files.map(({ path }) => path), "README.md"].map((path) => join(to, path)).join("\n"));
}

const nested: z.ZodType<Nested> = z.lazy(() => z.union([z.number(), z.array(nested)]));
type Nested = number | Nested[];

const input = z.union([
  z.array(nested).min(1),
  z.object({
    inputs: z.array(z.object({ name: z.string(), datatype, shape: z.array(z.int()), data: z.array(nested) })).min(1),
  }),
]);

async function predict(model: string, flags: { input: string }): Promise<void> {
  const client = createClient();
  const value = parse(input, await readJson(flags.input, "--input"), "--input");
  const inputs = Array.isArray(value)
    ? [tensorOf(await client.servedModel(model), value)]
    : value.inputs.map((tensor) => ({ ...tensor, data: flat(tensor.data) }));
  console.log(JSON.stringify(await client.predict(model, inputs), undefined, 2));
}

/** A bare array as the one input of a model. */
function tensorOf({ name, inputs }: ServedModel, value: Nested[]): InferInput {
  const [first, ...more] = inputs;
  if (!first || more.length > 0) {
    const names = inputs.map((spec) => spec.name).join(", ");
    throw new AppError(
      "invalid_request",
      `${name} has the inputs ${names}: give {"inputs": [{name, datatype, shape, data}]}`,
    );
  }
  return { name: first.name, datatype: first.datatype, shape: shapeOf(value), data: flat(value) };
}

/** `[[1, 2, 3]]` is a batch of one sample of three: [1, 3]. */
function shapeOf(value: Nested): number[] {
  return Array.isArray(value) ? [value.length, ...(value[0] === undefined ? [] : shapeOf(value[0]))] : [];
}

function flat(value: Nested): number[] {
  return Array.isArray(value) ? value.flatMap(flat) : [value];
}
