import type { JobView, StoredJobEvent } from "@whittle/contracts";
import { isFinal, type WhittleClient } from "@whittle/sdk";
import type { ProgressView } from "./progress.ts";

export interface Watched {
  id: string;
  name: string;
}

/** Follows jobs to their ends and shows them in `view`. */
export function watchJobs(
  client: WhittleClient,
  jobs: Watched[],
  view: ProgressView,
  signal?: AbortSignal,
): Promise<JobView[]> {
  return Promise.all(jobs.map((job) => watchJob(client, job, view, signal)));
}

async function watchJob(
  client: WhittleClient,
  job: Watched,
  view: ProgressView,
  signal?: AbortSignal,
): Promise<JobView> {
  let fraction = 0;
  for await (const event of client.events(job.id, signal ? { signal } : {})) {
    if (event.type === "progress") fraction = event.fraction;
    const text = stageOf(event);
    if (text !== undefined) view.update(job.name, fraction, text);
    if (event.type === "log" && event.level !== "debug" && event.level !== "info")
      view.line(`${job.name}: ${event.message}`);
  }
  signal?.throwIfAborted();
  const end = await client.wait(job.id, signal ? { signal } : {});
  view.update(job.name, end.state === "completed" ? 1 : fraction, summary(end));
  return end;
}

function stageOf(event: StoredJobEvent): string | undefined {
  if (event.type === "progress") return event.stage;
  // How it ended is told with the result.
  return event.type === "state" && !isFinal(event.state) ? event.state : undefined;
}

/** `completed as student@3`, `failed: no data set ...`. */
export function summary(job: JobView): string {
  const artifact = job.result?.artifact;
  if (job.state === "completed") return artifact ? `completed as ${artifact.name}@${artifact.version}` : "completed";
  return job.error ? `${job.state}: ${job.error.message}` : job.state;
}
