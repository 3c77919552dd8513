import { AppError, type JobState, type JobView } from "@whittle/contracts";
import type { Context } from "./connection.ts";
import { readRecord, type JobRecord } from "./record.ts";
import { viewOf } from "./view.ts";

const batch = 100;

export interface ListQuery {
  kind?: string | undefined;
  state?: JobState | undefined;
  limit: number;
  /** `cursor` of the page before. */
  cursor?: string | undefined;
}

export interface JobPage {
  jobs: JobView[];
  /** Where the next page begins; absent on the last one. */
  cursor?: string;
}

/** Jobs, newest first; what is submitted while somebody pages does not move the pages. */
export async function listJobs(context: Context, query: ListQuery): Promise<JobPage> {
  if (query.cursor !== undefined && !/^[0-9a-z]{26}$/.test(query.cursor)) {
    const issues = [{ path: "cursor", message: "must be the cursor of the page before" }];
    throw new AppError("invalid_request", "cursor is not valid: it must be the cursor of the page before", {
      issues,
    });
  }
  const jobs: JobView[] = [];
  for (let cursor = query.cursor; ;) {
    const ids = await idsBefore(context, query, cursor);
    for (const view of await views(context, query, ids)) {
      if (query.state !== undefined && view.state !== query.state) continue;
      const last = jobs.at(-1);
      if (jobs.length === query.limit && last) return { jobs, cursor: last.id };
      jobs.push(view);
    }
    cursor = ids.at(-1);
    if (ids.length < batch || cursor === undefined) return { jobs };
  }
}

async function idsBefore(
  { redis, keys }: Context,
  { state }: ListQuery,
  cursor: string | undefined,
): Promise<string[]> {
  const final = state === "completed" || state === "failed" || state === "cancelled";
  const index = keys.index(final ? state : state === undefined ? "all" : "open");
  return redis.zrevrangebylex(index, cursor === undefined ? "+" : `(${cursor}`, "-", "LIMIT", 0, batch);
}

async function views(context: Context, { kind }: ListQuery, ids: string[]): Promise<JobView[]> {
  const records = await Promise.all(ids.map((id) => readRecord(context, id)));
  const wanted = records.filter((record): record is JobRecord => record !== undefined);
  const ofKind = wanted.filter(({ envelope }) => kind === undefined || envelope.kind === kind);
  return ofKind.map(viewOf);
}
