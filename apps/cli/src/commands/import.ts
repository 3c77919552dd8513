import { readFile } from "node:fs/promises";
import { AppError } from "@whittle/contracts";
import { Option, type Command } from "commander";
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
  channels?: string;
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
    .addOption(
      new Option("--channels <where>", "where its input has the channels, for a shape that does not tell").choices([
        "first",
        "last",
      ]),
    )
    .action(importModel);
}

async function importModel(path: string, flags: ImportFlags): Promise<void> {
  const { dataset, name, alias, scale, offset, channels } = flags;
  if (alias !== undefined && name === undefined) throw new AppError("invalid_request", "--alias needs --name");
  if (offset !== undefined && scale === undefined) throw new AppError("invalid_request", "--offset needs --scale");
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new AppError("invalid_request", `${path} can't be read`, { cause });
  });
  const client = createClient();
  const { digest: file } = await client.upload(bytes);
  const params = {
    file,
    dataset,
    channels,
    ...(scale !== undefined && { preprocessing: { scale, offset: offset ?? 0 } }),
  };
  const job = await client.send("import", params, { output: name === undefined ? undefined : { name, alias } });
  console.log(`${job.id} ${job.state}`);
  await follow([{ id: job.id, name: "import" }]);
}
