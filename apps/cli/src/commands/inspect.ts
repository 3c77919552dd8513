import type { JobView } from "@whittle/contracts";
import type { Command } from "commander";
import { table } from "../terminal/table.ts";
import { summary } from "../terminal/watch.ts";
import { createClient } from "./client.ts";
import { follow } from "./submit.ts";

/** `jobs`, `watch`, `logs`, `cancel`, `retry`, `workers`, `workers drain`, `families`, `datasets`: what becomes of jobs, and of what. */
export function addInspect(program: Command): void {
  program
    .command("jobs")
    .description("list jobs, newest first")
    .option("--kind <kind>", "only this kind")
    .option("--state <state>", "only jobs that are waiting, blocked, running, completed, failed or cancelled")
    .option("--limit <n>", "how many", "20")
    .action(jobs);
  program.command("watch").description("follow a job to its end").argument("<id>").action(watch);
  program.command("logs").description("print a job's log").argument("<id>").action(logs);
  program.command("cancel").description("stop a job").argument("<id>").action(cancel);
  program.command("retry").description("run a failed or cancelled job again").argument("<id>").action(retry);
  program
    .command("workers")
    .description("list the workers and what they run; drain: take no more jobs")
    .action(workers)
    .command("drain")
    .description("let workers take no more jobs and give back those they run; they stay until they are stopped")
    .argument("[id]", "one worker; all of them without it")
    .action(drain);
  program.command("families").description("list the model families and their parameters").action(families);
  program.command("datasets").description("list the data sets and which workers have them").action(datasets);
}

async function jobs(flags: { kind?: string; state?: string; limit: string }): Promise<void> {
  const page = await createClient().jobs({ ...flags, limit: Number(flags.limit) });
  const rows = page.jobs.map((job) => [job.id, job.kind, job.createdAt, describe(job)]);
  console.log(rows.length === 0 ? "no jobs" : table([["ID", "KIND", "CREATED", "STATE"], ...rows]));
}

function describe(job: JobView): string {
  if (job.state !== "running") return summary(job);
  return `running, ${Math.round(job.progress.fraction * 100)}% ${job.progress.stage}`;
}

async function watch(id: string): Promise<void> {
  const job = await createClient().job(id);
  await follow([{ id, name: job.kind }]);
}

async function logs(id: string): Promise<void> {
  for (const { at, level, message } of await createClient().logs(id))
    console.log(`${at} ${level.padEnd(5)} ${message}`);
}

async function cancel(id: string): Promise<void> {
  console.log(describe(await createClient().cancel(id)));
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
    `${backend.backend} ${backend.version}${backend.gpu ? " GPU" : ""}, ${backend.threads} threads`,
    kinds.join(","),
    draining ? "leaving" : running.map((job) => `${job.kind} ${job.id}`).join(", ") || "idle",
  ]);
  console.log(rows.length === 0 ? "no workers" : table([["WORKER", "BACKEND", "KINDS", "RUNS"], ...rows]));
}

async function families(): Promise<void> {
  const rows = (await createClient().families()).map(({ name, title, params }) => [
    name,
    title,
    Object.keys(Object(params["properties"])).join(", "),
  ]);
  console.log(table([["FAMILY", "", "PARAMETERS"], ...rows]));
}

async function datasets(): Promise<void> {
  const rows = (await createClient().datasets()).map(({ name, title, inputShape, labels, workers: having }) => [
    name,
    title,
    inputShape.join("x"),
    String(labels.length),
    having.length === 0 ? "none" : String(having.length),
  ]);
  console.log(table([["DATA SET", "", "SHAPE", "CLASSES", "WORKERS"], ...rows]));
}
