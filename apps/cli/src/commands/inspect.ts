import { AppError, jobState, type JobState, type JobView, type PipelineView } from "@whittle/contracts";
import { catalog } from "@whittle/jobs/catalog";
import { Option, type Command } from "commander";
import { describeBackend } from "../terminal/backend.ts";
import { printJson } from "../terminal/json.ts";
import { table } from "../terminal/table.ts";
import { summary } from "../terminal/watch.ts";
import { createClient } from "./client.ts";
import { count, numberOf } from "./options.ts";
import { follow } from "./submit.ts";

/** What becomes of jobs: `jobs`, `show`, `watch`, `logs`, `metrics`, `cancel`, `retry`, `workers`, `workers drain`. */
export function addInspect(program: Command): void {
  program
    .command("jobs")
    .description("list jobs, newest first")
    .addOption(new Option("--kind <kind>", "only this kind").choices(Object.keys(catalog)))
    .addOption(new Option("--state <state>", "only jobs in this state").choices(jobState.options))
    .option("--limit <n>", "how many", numberOf(count), 20)
    .action(jobs);
  program
    .command("show")
    .description("print all that is known of a job or a pipeline (JSON)")
    .argument("<id>")
    .action(show);
  program.command("watch").description("follow a job or a pipeline to its end").argument("<id>").action(watch);
  program.command("logs").description("print a job's log").argument("<id>").action(logs);
  program.command("metrics").description("print what a job measured over time").argument("<id>").action(metrics);
  program.command("cancel").description("stop a job, or what is left of a pipeline").argument("<id>").action(cancel);
  program.command("retry").description("run a failed or cancelled job again").argument("<id>").action(retry);
  program
    .command("workers")
    .description("list the workers and what they run; drain: take no more jobs")
    .action(workers)
    .command("drain")
    .description("let workers take no more jobs and give back those they run; they stay until they are stopped")
    .argument("[id]", "one worker; all of them without it")
    .action(drain);
}

/** As many as the API gives in one answer. */
const pageSize = 200;

async function jobs({ limit, ...filter }: { kind?: string; state?: JobState; limit: number }): Promise<void> {
  const client = createClient();
  const found: JobView[] = [];
  let cursor: string | undefined;
  do {
    const page = await client.jobs({ ...filter, limit: Math.min(limit - found.length, pageSize), cursor });
    found.push(...page.jobs);
    ({ cursor } = page);
  } while (cursor !== undefined && found.length < limit);
  const rows = found.map((job) => [job.id, job.kind, job.createdAt, describe(job)]);
  console.log(rows.length === 0 ? "no jobs" : table([["ID", "KIND", "CREATED", "STATE"], ...rows]));
}

function describe(job: JobView): string {
  if (job.state !== "running") return summary(job);
  return `running, ${Math.round(job.progress.fraction * 100)}% ${job.progress.stage}`;
}

/** A job, or else the pipeline that has the id. */
async function find(id: string): Promise<JobView | PipelineView> {
  const client = createClient();
  const found = (await unlessMissing(client.job(id))) ?? (await unlessMissing(client.pipeline(id)));
  if (found) return found;
  throw new AppError("not_found", `there is no job or pipeline ${id}`);
}

async function unlessMissing<T>(asking: Promise<T>): Promise<T | undefined> {
  try {
    return await asking;
  } catch (error) {
    if (error instanceof AppError && error.code === "not_found") return undefined;
    throw error;
  }
}

async function show(id: string): Promise<void> {
  printJson(await find(id));
}

async function watch(id: string): Promise<void> {
  const found = await find(id);
  await follow(
    "steps" in found ? found.steps.map(({ id: each, step }) => ({ id: each, name: step })) : [{ id, name: found.kind }],
  );
}

async function logs(id: string): Promise<void> {
  for (const { at, level, message } of await createClient().logs(id))
    console.log(`${at} ${level.padEnd(5)} ${message}`);
}

async function metrics(id: string): Promise<void> {
  const rows = (await createClient().metrics(id)).map(({ at, series, step, values }) => [
    at,
    series,
    String(step),
    Object.entries(values)
      .map(([name, value]) => `${name} ${Number(value.toPrecision(6))}`)
      .join(", "),
  ]);
  console.log(rows.length === 0 ? "no metrics" : table([["AT", "SERIES", "STEP", "VALUES"], ...rows], [2]));
}

async function cancel(id: string): Promise<void> {
  const client = createClient();
  const found = await find(id);
  if (!("steps" in found)) return console.log(describe(await client.cancel(id)));
  const { steps } = await client.cancelPipeline(id);
  console.log(table(steps.map((step) => [step.step, step.id, describe(step)])));
}

async function retry(id: string): Promise<void> {
  console.log(describe(await createClient().retry(id)));
}

async function drain(id?: string): Promise<void> {
  const client = createClient();
  const ids = id === undefined ? (await client.workers()).map((worker) => worker.id) : [id];
  for (const each of ids) await client.drainWorker(each);
  console.log(ids.length === 0 ? "no workers" : `takes no more jobs: ${ids.join(", ")}`);
}

async function workers(): Promise<void> {
  const rows = (await createClient().workers()).map(({ id, backend, kinds, jobs: running, draining }) => [
    id,
    describeBackend(backend),
    kinds.join(","),
    draining ? "leaving" : running.map((job) => `${job.kind} ${job.id}`).join(", ") || "idle",
  ]);
  console.log(rows.length === 0 ? "no workers" : table([["WORKER", "BACKEND", "KINDS", "RUNS"], ...rows]));
}
