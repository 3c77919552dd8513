/** The names of everything the queue keeps in Redis, under one prefix. BullMQ's own keys are under `<prefix>:bull`. */
export interface Keys {
  prefix: string;
  bull: string;
  /** Hash: what a job is, where it stands and how it ended. See record.ts. */
  job(id: string): string;
  /** Stream of a job's events. */
  events(id: string): string;
  /** Set of the jobs that a blocked job still waits for. */
  needs(id: string): string;
  /** String: JSON of a pipeline's steps. */
  pipeline(id: string): string;
  /** Sorted set of job ids, all scores 0 so that they lie in the order of submission: all, `open`, or one final state. */
  index(which: "all" | "open" | "completed" | "failed" | "cancelled"): string;
  /** Set of the blocked jobs of a kind. */
  blocked(kind: string): string;
  /** Sorted set, by time, of jobs about which BullMQ has still to be told something. See settle.ts. */
  outbox: string;
  /** Hash of counters `<kind>:<final state>`. */
  finished: string;
  /** String: JSON of what an Idempotency-Key was used for. */
  idempotency(key: string): string;
  worker(id: string): string;
  /** String: the wish that a worker takes no more jobs. */
  drain(worker: string): string;
  /** Sorted set of worker ids by the time when their announcement lapses. */
  workers: string;
  /** String: the worker that reconciles; it lapses when the next may. */
  maintainer: string;
  /** String: identity of the store that the API reads. */
  store: string;
  /** Stream of events that webhooks are to tell. */
  webhooks: string;
  /** Set of ended jobs that have left something in the store which is to go. */
  litter: string;
  /** Channels: a job has a new event; a job is to be cancelled; a worker is to drain; there is work. */
  nudge: string;
  cancel: string;
  drained: string;
  wake: string;
}

/** The prefix is a hash tag, so that Redis Cluster keeps all keys in one slot, as the scripts need it. */
export function makeKeys(name: string): Keys {
  const prefix = /\{.+\}/.test(name) ? name : `{${name}}`;
  return {
    prefix,
    bull: `${prefix}:bull`,
    job: (id) => `${prefix}:job:${id}`,
    events: (id) => `${prefix}:events:${id}`,
    needs: (id) => `${prefix}:needs:${id}`,
    pipeline: (id) => `${prefix}:pipeline:${id}`,
    index: (which) => `${prefix}:jobs:${which}`,
    blocked: (kind) => `${prefix}:blocked:${kind}`,
    outbox: `${prefix}:outbox`,
    finished: `${prefix}:finished`,
    idempotency: (key) => `${prefix}:idempotency:${key}`,
    worker: (id) => `${prefix}:worker:${id}`,
    drain: (worker) => `${prefix}:drain:${worker}`,
    workers: `${prefix}:workers`,
    maintainer: `${prefix}:maintainer`,
    store: `${prefix}:store`,
    webhooks: `${prefix}:webhooks`,
    litter: `${prefix}:litter`,
    nudge: `${prefix}:nudge`,
    drained: `${prefix}:drained`,
    cancel: `${prefix}:cancel`,
    wake: `${prefix}:wake`,
  };
}
