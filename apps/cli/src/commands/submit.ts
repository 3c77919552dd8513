import { AppError, parse, pipelineRequest, type JobOptions } from "@whittle/contracts";
import { catalog } from "@whittle/jobs/catalog";
import type { Command } from "commander";
import { createProgress } from "../terminal/progress.ts";
import { watchJobs, type Watched } from "../terminal/watch.ts";
import { createClient, readJson } from "./client.ts";

interface SubmitFlags {
  params: string;
  name?: string;
  alias?: string;
  fresh?: boolean;
  watch?: boolean;
}

const fresh = ["--fresh", "run even where the same was made before"] as const;

/** `submit` and `pipeline`: enqueue jobs. */
export function addSubmit(program: Command): void {
  program
    .command("submit")
    .description("enqueue a job")
    .argument("<kind>", `one of ${Object.keys(catalog).join(", ")}`)
    .requiredOption("--params <json>", "the job's parameters: JSON, or @file.json")
    .option("--name <name>", "model name to publish under")
    .option("--alias <alias>", "alias to move to the new version (with --name)")
    .option(...fresh)
    .option("--watch", "follow the job to its end")
    .action(submit);
  program
    .command("pipeline")
    .description("enqueue several jobs of which one takes another's model as $step")
    .argument("<file>", 'JSON file: {"steps": [{"step", "kind", "params"}]}')
    .option(...fresh)
    .option("--watch", "follow the jobs to their ends")
    .action(pipeline);
}

async function submit(kind: string, flags: SubmitFlags): Promise<void> {
  if (flags.alias !== undefined && flags.name === undefined)
    throw new AppError("invalid_request", "--alias needs --name");
  const definition = catalog[kind];
  if (!definition) {
    throw new AppError(
      "invalid_request",
      `${kind} is not a job kind; the kinds are ${Object.keys(catalog).join(", ")}`,
    );
  }
  const params = await readJson(flags.params, "--params");
  parse(definition.params, params, `A ${kind} job`, "params");
  const client = createClient();
  const job = await client.send(kind, params, optionsOf(flags));
  console.log(`${job.id} ${job.state}`);
  if (flags.watch) await follow([{ id: job.id, name: kind }]);
}

async function pipeline(file: string, { watch, ...flags }: Pick<SubmitFlags, "fresh" | "watch">): Promise<void> {
  const { steps } = parse(pipelineRequest, await readJson(`@${file}`, "The pipeline"), "The pipeline");
  const made = await createClient().sendPipeline({ steps: steps.map((step) => ({ ...step, ...flags })) });
  console.log(`pipeline ${made.id}`);
  for (const step of made.steps) console.log(`${step.id} ${step.step} ${step.state}`);
  if (watch) await follow(made.steps.map(({ id, step }) => ({ id, name: step })));
}

function optionsOf({ name, alias, fresh: again }: SubmitFlags): Partial<JobOptions> {
  const output = name !== undefined && { output: { name, ...(alias !== undefined && { alias }) } };
  return { ...output, ...(again && { fresh: again }) };
}

/**
 * Shows jobs until all have ended.
 * @throws AppError of the first that did not complete.
 */
export async function follow(jobs: Watched[]): Promise<void> {
  const view = createProgress(jobs.map(({ name }) => name));
  const ends = await watchJobs(createClient(), jobs, view).finally(() => view.close());
  const failed = ends.find(({ state }) => state !== "completed");
  if (failed)
    throw new AppError(
      failed.error?.code ?? "cancelled",
      `${failed.kind} ${failed.id} ${failed.state}: ${failed.error?.message ?? ""}`,
    );
}
