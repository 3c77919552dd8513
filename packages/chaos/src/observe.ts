import { jobEnvelope, jobEvent, jobResult, isErrorCode, type ErrorCode } from "@whittle/contracts";
import { openStore } from "@whittle/store";
import { z } from "zod";
import type { History } from "./history.ts";
import { params } from "./job/contract.ts";
import { prefix, type System } from "./system.ts";
import { readWitness } from "./witness.ts";

const end = z.object({
  state: z.string(),
  result: jobResult.optional(),
  error: z.object({ code: z.custom<ErrorCode>(isErrorCode), message: z.string() }).optional(),
});

/** Writes down what there is when all is over: in Redis and in the store themselves, and what the jobs have told. */
export async function observe(system: System, history: History): Promise<void> {
  const skews = new Map<string, number>();
  for (const line of await readWitness(system.witness)) {
    history.add(line);
    if (line.what === "begun") skews.set(`${line.job}.${line.epoch}`, line.skewMs ?? 0);
  }
  const { connection } = system.redis;
  for (const id of await connection.zrange(`${prefix}:jobs:all`, "0", "-1")) await observeJob(system, history, id);
  const store = await openStore(system.storeUrl);
  for (const { name } of await store.models())
    for (const { version, digest, jobId, epoch = 0, createdAt } of await store.versions(name)) {
      // The time is by the clock of the host that published it.
      const at = Date.parse(createdAt) - (skews.get(`${jobId}.${epoch}`) ?? 0);
      history.add({ what: "version", name, version, digest, job: jobId, epoch, createdAt: new Date(at).toISOString() });
    }
  for (const issue of (await store.audit()).issues) history.add({ what: "damage", ...issue });
}

async function observeJob({ redis: { connection } }: System, history: History, id: string): Promise<void> {
  const fields = await connection.hgetall(`${prefix}:job:${id}`);
  const { submission } = params.parse(jobEnvelope.parse(JSON.parse(fields["envelope"] ?? "{}")).params);
  for (const [entry, [, text = "{}"]] of await connection.xrange(`${prefix}:events:${id}`, "-", "+")) {
    const event = jobEvent.parse(JSON.parse(text));
    // By the clock of Redis, this machine's: the hosts' may be wrong.
    history.add({ what: "event", job: id, event, at: Number.parseInt(entry, 10) });
  }
  const { state, result, error } =
    fields["end"] === undefined ? { state: fields["place"] ?? "" } : end.parse(JSON.parse(fields["end"]));
  history.add({ what: "final", job: id, submission, state, ...(result && { result }), ...(error && { error }) });
}
