import { AppError, jobOptions, parse, pipelineRequest } from "@whittle/contracts";
import { catalog } from "@whittle/jobs/catalog";
import type { SubmitOptions } from "@whittle/sdk";
import type { Command } from "commander";
import { createProgress } from "../terminal/progress.ts";
import { watchJobs, type Watched } from "../terminal/watch.ts";
import { createClient, readJson } from "./client.ts";
import { numberOf } from "./options.ts";

interface CommonFlags {
  fresh?: boolean;
  idempotencyKey?: string;
  watch?: boolean;
}

interface SubmitFlags extends CommonFlags {
  params: string;
  name?: string;
  alias?: string;
  priority?: number;
  attempts?: number;
  timeout?: number;
  webhook?: string;
}

const { priority, attempts, timeoutSeconds } = jobOptions.shape;
const fresh = ["--fresh", "run even where the same was made before"] as const;
const idempotency = ["--idempotency-key <key>", "sent again with the same key, it is the same job for a day"] as const;

/** `submit` and `pipeline`: enqueue jobs. */
export function addSubmit(program: Command): void {
  program
    .command("submit")
    .description("enqueue a job")
    .argument("<kind>", `one of ${Object.keys(catalog).join(", ")}`)
    .requiredOption("--params <json>", "the job's parameters: JSON, or @file.json")
    .option("--name <name>", "model name to publish under")
    .option("--alias <alias>", "alias to move to the new version (with --name)")
    .option("--priority <n>", "1 to 1000, lower runs first (100)", numberOf(priority))
    .option("--attempts <n>", "how often it is run when it fails for a passing reason, 1 to 20 (3)", numberOf(attempts))
    .option("--timeout <seconds>", "limit of one attempt (86400: a day)", numberOf(timeoutSeconds))
    .option("--webhook <url>", "told of its start, progress and end; the API must allow the host")
    .option(...fresh)
    .option(...idempotency)
    .option("--watch", "follow the job to its end")
    .action(submit);
  program
    .command("pipeline")
    .description("enqueue several jobs of which one takes another's model as $step")
    .argument("<file>", 'JSON file: {"steps": [{"step", "kind", "params", and what submit takes as options}]}')
    .option(...fresh)
    .option(...idempotency)
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

async function pipeline(file: string, { fresh: again, idempotencyKey, watch }: CommonFlags): Promise<void> {
  const { steps } = parse(pipelineRequest, await readJson(`@${file}`, "The pipeline"), "The pipeline");
  const body = { steps: steps.map((step) => ({ ...step, ...(again && { fresh: again }) })) };
  const made = await createClient().sendPipeline(body, { idempotencyKey });
  console.log(`pipeline ${made.id}`);
  for (const step of made.steps) console.log(`${step.id} ${step.step} ${step.state}`);
  if (watch) await follow(made.steps.map(({ id, step }) => ({ id, name: step })));
}

/** What is not given is left to the API. */
function optionsOf({ name, alias, timeout, webhook, ...flags }: SubmitFlags): SubmitOptions {
  return {
    output: name === undefined ? undefined : { name, alias },
    priority: flags.priority,
    attempts: flags.attempts,
    timeoutSeconds: timeout,
    webhook: webhook === undefined ? undefined : { url: webhook },
    fresh: flags.fresh,
    idempotencyKey: flags.idempotencyKey,
  };
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
