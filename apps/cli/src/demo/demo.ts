import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AppError, cpuInfo, type JobView, type PipelineView } from "@whittle/contracts";
import type { WhittleClient } from "@whittle/sdk";
import type { CliConfig } from "../env.ts";
import { startStack, whenAborted, type Stack } from "../stack/stack.ts";
import { createProgress } from "../terminal/progress.ts";
import { watchJobs } from "../terminal/watch.ts";
import { fetchStage, measureStages } from "./measure.ts";
import { chooseRecipe, stageNames, type Recipe, type StageName } from "./recipe.ts";
import { formatStages, writeReport, type DemoReport } from "./report.ts";
import { checkServing } from "./serving.ts";

export interface DemoOptions {
  config: CliConfig;
  say: (line: string) => void;
  signal: AbortSignal;
  /** Called with the running stack and the name of the served model when all is done, before everything is stopped. */
  afterwards: (stack: Stack, served: string) => Promise<void>;
}

/** Its jobs are kept apart from those of `whittle up`; the store is the same. */
const prefix = "whittle-demo";
const servedImages = 200;

/**
 * The main job, end to end: starts Whittle, submits one pipeline over HTTP, measures what it made, serves it and checks the answers.
 * @throws AppError that says which step failed, why, and where the logs are. Nothing that it started is left running.
 */
export async function runDemo({ config, say, signal, afterwards }: DemoOptions): Promise<void> {
  const began = performance.now();
  const inherited = { ...config.inherited, WHITTLE_DRAIN_SECONDS: "0" };
  const stack = await startStack({
    config: { ...config, prefix, inherited, drainMs: 0 },
    workers: 2,
    concurrency: 1,
    say,
    signal,
  });
  try {
    const report = await Promise.race([
      mainJob(stack, { config, say, signal, began }),
      stack.failure,
      whenAborted(signal),
    ]);
    say(`Done in ${report.seconds.toFixed(0)} s; written to ${join(config.home, "demo")}/report.{json,md}`);
    await afterwards(stack, report.serving.model);
  } finally {
    await stopUnfinished(stack.client).catch(() => {});
    await stack.close();
  }
}

interface Run {
  config: CliConfig;
  say: (line: string) => void;
  signal: AbortSignal;
  began: number;
}

async function mainJob(stack: Stack, { config, say, signal, began }: Run): Promise<DemoReport> {
  const startedAt = new Date().toISOString();
  const { client } = stack;
  const left = await stopUnfinished(client);
  if (left > 0) say(`Cancelled ${left} jobs that an interrupted demo had left.`);
  const workers = await client.workers();
  const recipe = chooseRecipe(workers);
  for (const warning of recipe.warnings) say(`!!! ${warning}`);
  const jobs = await runPipeline(stack, recipe, { say, signal });
  say("Measuring latencies of all models in turn...");
  const stages = await Promise.all(stageNames.map((name) => fetchStage(client, name, jobs.views[name])));
  const quantized = stages.at(-1);
  const backend = workers[0]?.backend;
  if (!quantized || !backend) throw new AppError("internal", "the pipeline has no last stage");
  const measured = await measureStages(stages, quantized.manifest.config.signature.inputs[0]?.shape.slice(1) ?? []);
  say(`Sending ${servedImages} test images to the serving app...`);
  const { serveKey = config.key } = config;
  const serving = await checkServing(
    client,
    { url: stack.serveUrl, key: serveKey },
    {
      stage: quantized,
      alias: "prod",
      dataset: recipe.dataset,
      images: servedImages,
      datasetDirs: config.datasetDirs,
    },
  );
  const report: DemoReport = {
    dataset: recipe.dataset,
    testSamples: quantized.manifest.metrics.accuracy?.n ?? 0,
    startedAt,
    seconds: (performance.now() - began) / 1000,
    pipeline: jobs.id,
    backend,
    cpu: cpuInfo(),
    warnings: recipe.warnings,
    stages: measured,
    serving,
  };
  await writeReport(join(config.home, "demo"), report);
  say(`\n${formatStages(measured)}\n`);
  say(
    `Served ${serving.model}: ${serving.correct} of ${serving.images} images right, the same over ${serving.protocols.join(" and ")}.`,
  );
  return report;
}

async function runPipeline(
  { client, logDir, apiUrl }: Stack,
  recipe: Recipe,
  { say, signal }: Pick<Run, "say" | "signal">,
): Promise<{ id: string; views: Record<StageName, JobView> }> {
  const pipeline = await client.submitPipeline(recipe.steps);
  say(
    `Submitted one pipeline of ${recipe.steps.length} jobs on ${recipe.dataset}: ${apiUrl}/v1/pipelines/${pipeline.id}`,
  );
  const view = createProgress(recipe.steps.map(({ step }) => step));
  const watched = pipeline.steps.map(({ id, step }) => ({ id, name: step }));
  const ends = await watchJobs(client, watched, view, signal).finally(() => view.close());
  await refuseFailure(client, pipeline, ends, logDir);
  const of = (name: StageName): JobView => {
    const job = ends[pipeline.steps.findIndex(({ step }) => step === name)];
    if (!job) throw new AppError("internal", `the pipeline has no step ${name}`);
    return job;
  };
  return {
    id: pipeline.id,
    views: {
      teacher: of("teacher"),
      control: of("control"),
      distilled: of("distilled"),
      pruned: of("pruned"),
      quantized: of("quantized"),
    },
  };
}

/** @throws AppError of the step that failed first by itself, its log written beside the processes' logs. */
async function refuseFailure(
  client: WhittleClient,
  pipeline: PipelineView,
  ends: JobView[],
  logDir: string,
): Promise<void> {
  const bad = ends.filter(({ state }) => state !== "completed");
  const cause = bad.find(({ error }) => error?.code !== "failed_dependency") ?? bad[0];
  if (!cause) return;
  const step = pipeline.steps.find(({ id }) => id === cause.id)?.step ?? cause.kind;
  const log = join(logDir, `job-${step}.log`);
  const lines = await client.logs(cause.id).catch(() => []);
  const reason = cause.error?.message ?? cause.state;
  const text = [...lines.map(({ at, level, message }) => `${at} ${level} ${message}`), `${cause.state}: ${reason}`];
  await writeFile(log, `${text.join("\n")}\n`);
  throw new AppError(
    cause.error?.code ?? "internal",
    `step ${step} (${cause.kind} ${cause.id}) ${cause.state}: ${reason}; its log is ${log}, the processes' logs are in ${logDir}`,
  );
}

/** Cancels every job of the demo that has not ended; returns how many there were. */
async function stopUnfinished(client: WhittleClient): Promise<number> {
  let stopped = 0;
  for (const state of ["blocked", "waiting", "running"]) {
    for (const { id } of (await client.jobs({ state, limit: 100 })).jobs) {
      await client.cancel(id);
      stopped += 1;
    }
  }
  return stopped;
}
