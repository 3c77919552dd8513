import { AppError, type JobResult, type JobRun, type RunOutcome } from "@whittle/contracts";
import { UnrecoverableError } from "bullmq";
import type { Context } from "./connection.ts";
import type { Refusal, Setbacks, Started } from "./fence.ts";
import { firstBackoffMs, maxBackoffMs } from "./limits.ts";
import { setPause, wake } from "./ready.ts";
import { encodeError, readRecord, requireRecord, type JobEnd, type JobRecord } from "./record.ts";
import type { RunOptions, Running } from "./run-job.ts";
import { propagate } from "./settle.ts";
import { end } from "./transitions.ts";
import { bullPriority } from "./turns.ts";

/**
 * How a run ended. `retry`: it failed, and has attempts left; `crashed`: its process died; `drained` and `lost` (the claim on it) are
 * not its fault.
 */
export type Outcome = Final | { type: "retry" | "crashed"; error: AppError } | { type: "drained" | "lost" };

type EndOptions = Pick<RunOptions, "published" | "onError">;

type Final = { type: "completed"; result: JobResult } | { type: "failed" | "cancelled"; error: AppError };

/** Writes down how a run ended, then tells BullMQ. A run that is not the latest any more changes nothing. */
export async function concludeRun(
  context: Context,
  running: Running,
  { fence, record }: Started,
  outcome: Outcome,
  options: EndOptions,
): Promise<void> {
  const { job, token, resources } = running;
  const ran: JobRun = {
    ...fence.run,
    endedAt: new Date().toISOString(),
    outcome: outcome.type === "retry" ? "failed" : (outcome.type satisfies RunOutcome),
    ...("error" in outcome && { error: outcome.error.toJSON() }),
    ...(resources && { resources }),
  };
  if (isFinal(outcome)) return endJob(context, running, outcome, options, ran);
  // Else BullMQ would put it behind all others of its priority after its pause. Not later: once it waits, others may nominate it.
  await job.changePriority({ priority: bullPriority(record.options.priority, true) }).catch(options.onError);
  const setbacks = await fence.leave(ran);
  if (!setbacks) return;
  const pauseMs = pauseOf(outcome, setbacks);
  if (pauseMs > 0) {
    await job.moveToDelayed(Date.now() + pauseMs, token);
    await setPause(context, running.kind, running.id, pauseMs);
    return;
  }
  await job.moveToWait(token);
  await wake(context, running.kind);
}

/** How long a job waits before its next run. A checkpoint is a reason to begin anew with the shortest pause. */
function pauseOf({ type }: Outcome, { failures, strikes }: Setbacks): number {
  if (type === "retry") return backoffMs(failures - 1);
  // A process that died for the first time is most often one that somebody killed: it costs no pause.
  return type === "crashed" && strikes > 1 ? backoffMs(strikes - 2) : 0;
}

/** Doubles with each failure before, and is spread over its upper half, so that jobs that failed together don't come back together. */
export function backoffMs(failures: number): number {
  return Math.min(firstBackoffMs * 2 ** failures, maxBackoffMs) * (0.5 + Math.random() / 2);
}

function isFinal(outcome: Outcome): outcome is Final {
  return outcome.type === "completed" || outcome.type === "failed" || outcome.type === "cancelled";
}

async function endJob(
  context: Context,
  running: Running,
  judged: Final,
  options: EndOptions,
  ran?: JobRun,
): Promise<void> {
  const outcome = (judged.type === "failed" && (await findPublished(context, running, options))) || judged;
  const how: JobEnd = {
    state: outcome.type,
    at: ran?.endedAt ?? new Date().toISOString(),
    ...(outcome.type === "completed" ? { result: outcome.result } : { error: outcome.error.toJSON() }),
  };
  const { id } = running;
  if (!(await end(context, id, "queue", how, ran))) return;
  await propagate(context, id, await requireRecord(context, id));
  await tellBullMQ(running, outcome);
}

/** The end of a job that an earlier run had leave to publish, and did. */
async function findPublished(context: Context, { id }: Running, { published }: EndOptions): Promise<Final | undefined> {
  const { committing, envelope } = await requireRecord(context, id);
  const result = committing === undefined ? undefined : await published(envelope);
  return result && { type: "completed", result };
}

async function tellBullMQ({ job, token }: Running, outcome: Final): Promise<void> {
  if (outcome.type === "completed") await job.moveToCompleted(outcome.result, token, false);
  else await job.moveToFailed(new UnrecoverableError(encodeError(outcome.error.toJSON())), token);
}

/** Does with a job what is left to do when it is not to be run. */
export async function refuse(context: Context, running: Running, why: Refusal, options: EndOptions): Promise<void> {
  if (why === "unheld") return;
  const record = await readRecord(context, running.id);
  if (!record) {
    const error = new AppError(
      "not_found",
      `there is no job ${running.id}; this entry of BullMQ is not one of Whittle's`,
    );
    return tellBullMQ(running, { type: "failed", error });
  }
  if (why === "quarantined") return endJob(context, running, { type: "failed", error: quarantined(record) }, options);
  if (why === "cancelled") {
    const error = new AppError("cancelled", "cancelled before it ran");
    return endJob(context, running, { type: "cancelled", error }, options);
  }
  // Whoever wrote the end down may have died before it told the jobs behind this one.
  await propagate(context, running.id, record);
  const { state, result, error } = record.end ?? { state: "failed" };
  if (state === "completed" && result) await tellBullMQ(running, { type: "completed", result });
  else
    await tellBullMQ(running, { type: "failed", error: new AppError(error?.code ?? "internal", error?.message ?? "") });
}

/** The evidence: how the last runs that died did so. */
function quarantined({ strikes, runs }: JobRecord): AppError {
  const died = runs.filter(({ outcome }) => outcome === "crashed" || outcome === "lost").slice(-strikes);
  const evidence = died.map(
    ({ epoch, worker, error }) => `run ${epoch} on ${worker}: ${error?.message ?? "its worker was lost"}`,
  );
  return new AppError(
    "quarantined",
    `${strikes} runs in a row died without a new checkpoint; retry it when the reason is gone. ${evidence.join("; ")}`,
  );
}
