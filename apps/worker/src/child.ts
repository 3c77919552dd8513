/**
 * One job's process: takes an envelope from the worker, runs it, sends back what happens and what came out, and ends. Until then it can be
 * told to load what jobs need.
 */
import { AppError, parse, toAppError, type JobResources } from "@whittle/contracts";
import { preloadJobs, runJob } from "@whittle/jobs/runners";
import { openStore } from "@whittle/store";
import { createAsker } from "./ask.ts";
import { createCheckpoints } from "./checkpoints.ts";
import { patiently } from "./patience.ts";
import { toChild, type FromChild, type Task } from "./supervisor/messages.ts";

const beatMs = 5000;
const cancelled = new AbortController();
const asker = createAsker((message) => void send(message));
let working = false;
let loaded: Promise<void> | undefined;

// Without its worker nobody would take the result, and another worker runs the job again.
process.once("disconnect", () => process.exit(1));
process.once("SIGTERM", () => {
  if (!working) process.exit(0);
  cancelled.abort(new AppError("cancelled", "The job's process was told to stop"));
});

process.on("message", (raw) => {
  const message = parse(toChild, raw, "The worker's message");
  if (message.type === "cancel") cancelled.abort(new AppError("cancelled", message.reason));
  else if (message.type === "answer") asker.answered(message);
  else if (message.type === "prepare") void prepare();
  else void work(message);
});

/** A failure comes again when the job needs what could not be loaded, and is told then. */
async function prepare(): Promise<void> {
  loaded ??= preloadJobs().catch(() => {});
  await loaded;
  await send({ type: "ready" });
}

async function work(task: Task): Promise<void> {
  working = true;
  setInterval(() => void send({ type: "beat" }), beatMs).unref();
  let answer: FromChild;
  try {
    answer = { type: "result", result: await run(task), resources: used() };
  } catch (error) {
    answer = { type: "error", error: toAppError(error).toJSON(), resources: used() };
    if (answer.error.code === "internal") console.error(error);
  }
  await send(answer);
  process.exit(0);
}

async function run({ envelope, epoch, checkpoints: names, store: url, datasetDirs, workDir }: Task) {
  const store = await patiently(() => openStore(url), cancelled.signal);
  const checkpoints = createCheckpoints({
    scratch: store.scratch(envelope.id),
    epoch,
    point: (name) => asker.ask({ what: "keep", name }),
    signal: cancelled.signal,
    warn,
  });
  await checkpoints.restore(names, workDir);
  return runJob(envelope, {
    store,
    signal: cancelled.signal,
    datasetDirs,
    workDir,
    epoch,
    emit: (event) => void send({ type: "event", event }),
    keep: (path) => checkpoints.keep(path),
    mayPublish: async () => void (await asker.ask({ what: "commit" })),
  });
}

function used(): JobResources {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  return { cpuSeconds: (userCPUTime + systemCPUTime) / 1e6, peakRssBytes: maxRSS * 1024 };
}

function warn(message: string): void {
  void send({ type: "event", event: { type: "log", level: "warn", message } });
}

/** Resolves when the message has been handed to the system. */
function send(message: FromChild): Promise<void> {
  return new Promise((resolve) => {
    if (process.send) process.send(message, undefined, {}, () => resolve());
    else resolve();
  });
}
