import { readFile } from "node:fs/promises";
import { AppError } from "@whittle/contracts";
import type { Command } from "commander";
import { z } from "zod";
import { createClient } from "./client.ts";
import { numberOf } from "./options.ts";
import { follow } from "./submit.ts";

interface ImportFlags {
  dataset: string;
  name?: string;
  alias?: string;
  scale?: number;
  offset?: number;
}

const real = numberOf(z.number());

/** `import`: upload a finished ONNX model and publish it. */
export function addImport(program: Command): void {
  program
    .command("import")
    .description("upload a finished ONNX model and publish it, measured on a data set")
    .argument("<file.onnx>", "a classifier with one float input and one output [n, classes]")
    .requiredOption("--dataset <name>", "the data set that it is measured on")
    .option("--name <name>", "model name to publish under")
    .option("--alias <alias>", "alias to move to the new version (with --name)")
    .option("--scale <number>", "the model sees x * scale + offset; by default as the data set says", real)
    .option("--offset <number>", "with --scale; by default 0", real)
    .action(importModel);
}

async function importModel(path: string, { dataset, name, alias, scale, offset }: ImportFlags): Promise<void> {
  if (alias !== undefined && name === undefined) throw new AppError("invalid_request", "--alias needs --name");
  if (offset !== undefined && scale === undefined) throw new AppError("invalid_request", "--offset needs --scale");
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new AppError("invalid_request", `${path} can't be read`, { cause });
  });
  const client = createClient();
  const { digest: file } = await client.upload(bytes);
  const params = { file, dataset, ...(scale !== undefined && { preprocessing: { scale, offset: offset ?? 0 } }) };
  const job = await client.send("import", params, { output: name === undefined ? undefined : { name, alias } });
  console.log(`${job.id} ${job.state}`);
  await follow([{ id: job.id, name: "import" }]);
}
