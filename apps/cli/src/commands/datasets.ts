import { readFile } from "node:fs/promises";
import { AppError, parseUploadedDataset, type DatasetRecord } from "@whittle/contracts";
import type { Command } from "commander";
import { z } from "zod";
import { table } from "../terminal/table.ts";
import { createClient } from "./client.ts";
import { numberOf } from "./options.ts";

const real = numberOf(z.number());

/** `datasets` with its subcommands: what jobs can be run on, and how one's own comes there. */
export function addDatasets(program: Command): void {
  const description = "list the data sets: of the zoo with the workers that have each, and uploaded ones; add, … one";
  const list = program.command("datasets").alias("dataset").description(description).action(datasets);
  list.command("list").description("the same as without it").action(datasets);
  list
    .command("add")
    .description("upload a version of a data set; jobs take it as name@version")
    .argument("<name>", "its name, which is not one of the zoo's")
    .argument(
      "<file.npz>",
      "numpy.savez_compressed of x_train, y_train, x_test, y_test and, where wanted, labels and vocabulary",
    )
    .option("--scale <number>", "models see x * scale + offset; by default 1/255 for images of bytes, else 1", real)
    .option("--offset <number>", "by default 0", real)
    .action(add);
  list
    .command("delete")
    .description("delete a version of an uploaded data set; its number is not given again")
    .argument("<version>", "name@version")
    .option("--force", "also where a job that has not ended takes it")
    .action(deleteVersion);
}

async function datasets(): Promise<void> {
  const client = createClient();
  const [zoo, uploaded] = await Promise.all([client.datasets(), client.uploadedDatasets()]);
  const rows = [
    ...zoo.map((each) => ({ ...each, having: each.workers.length === 0 ? "none" : String(each.workers.length) })),
    ...uploaded.map((each) => ({ ...each, name: `${each.name}@${each.version}`, title: "uploaded", having: "all" })),
  ].map(({ name, title, inputShape, labels, samples, having }) => [
    name,
    title,
    inputShape.join("x"),
    String(labels.length),
    `${samples.train} + ${samples.test}`,
    having,
  ]);
  console.log(table([["DATA SET", "", "SHAPE", "CLASSES", "SAMPLES", "WORKERS"], ...rows]));
  uploaded.forEach(warn);
}

function warn({ name, version, warnings = [] }: DatasetRecord): void {
  for (const warning of warnings) console.log(`${name}@${version}: warning: ${warning}`);
}

async function add(name: string, path: string, settings: { scale?: number; offset?: number }): Promise<void> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new AppError("invalid_request", `${path} can't be read`, { cause });
  });
  const record = await createClient().uploadDataset(name, bytes, settings);
  const { version, inputShape, labels, samples } = record;
  const content = `${samples.train} + ${samples.test} samples ${inputShape.join("x")}, ${labels.length} classes`;
  console.log(`${name}@${version}: ${content}`);
  warn(record);
}

async function deleteVersion(version: string, { force }: { force?: boolean }): Promise<void> {
  const parsed = parseUploadedDataset(version);
  if (parsed === undefined)
    throw new AppError("invalid_request", `"${version}" must be name@version, such as mine@3, of an uploaded data set`);
  await createClient().deleteDataset(parsed.name, parsed.version, { force: force === true });
  console.log(`deleted ${version}; whittle store gc --delete removes its file once it was deleted for a day`);
}
