import type { JobView, PipelineView, StoredJobEvent, WorkerView } from "@whittle/contracts";
import type { Queue } from "bullmq";
import { cancelJob, cancelPipeline } from "./cancel.ts";
import { createContext, producerConnection, whenReady, workerConnection } from "./connection.ts";
import { countJobs, type KindCounts } from "./counts.ts";
import { declareStore, type DeclaredStore } from "./declared-store.ts";
import { checkAfter, createFollowers, readEvents, type EventQuery } from "./events.ts";
import { listJobs, type JobPage, type ListQuery } from "./list.ts";
import type { Catalog } from "./pipeline.ts";
import { requireRecord } from "./record.ts";
import { retryJob } from "./retry.ts";
import { submitJob, submitPipeline, type PipelineSubmission, type Submission } from "./submit.ts";
import { jobView, pipelineView } from "./view.ts";
import { deliverWebhooks, type WebhookOptions } from "./webhooks/deliveries.ts";
import { drainWorker, listWorkers } from "./workers.ts";

export interface QueueOptions {
  redisUrl: string;
  /** Put before every key in Redis; two installations with different prefixes don't see each other. */
  prefix?: string;
  catalog: Catalog;
  /** Where the jobs' models are to be: workers with another store take none. */
  store?: DeclaredStore;
  /** Allows jobs to have webhooks, and delivers them from this process. */
  webhooks?: WebhookOptions;
}

/** The producers' side. Every method throws AppError `unavailable` while Redis is away, and works again when it is back. */
export interface JobQueue {
  /** @throws AppError `not_found` for an unknown kind, `invalid_request`, `conflict` for an idempotency key used otherwise. */
  submit(submission: Submission): Promise<JobView>;
  /** @throws AppError `invalid_request`, `conflict`. */
  submitPipeline(submission: PipelineSubmission): Promise<PipelineView>;
  get(id: string): Promise<JobView>;
  list(query: ListQuery): Promise<JobPage>;
  cancel(id: string): Promise<JobView>;
  retry(id: string): Promise<JobView>;
  pipeline(id: string): Promise<PipelineView>;
  cancelPipeline(id: string): Promise<PipelineView>;
  events(id: string, query?: EventQuery): Promise<StoredJobEvent[]>;
  /** Calls `listener` with the events after the place `after` and with those to come. @returns what ends it. */
  subscribe(id: string, after: string | undefined, listener: (event: StoredJobEvent) => void): Promise<() => void>;
  workers(): Promise<WorkerView[]>;
  /** Asks a worker to take no more jobs and to give back those it runs; it stays until it is stopped. */
  drainWorker(id: string): Promise<WorkerView>;
  counts(): Promise<Record<string, KindCounts>>;
  ping(): Promise<void>;
  /** The BullMQ queues, one a kind, for Bull Board. */
  bullQueues(): Queue[];
  close(): Promise<void>;
}

export function createQueue({ redisUrl, prefix = "whittle", catalog, store, webhooks }: QueueOptions): JobQueue {
  const context = createContext(producerConnection(redisUrl), prefix);
  const followers = createFollowers(context, workerConnection(redisUrl));
  const policy = { catalog, webhookHosts: webhooks?.hosts ?? [] };
  const stopWebhooks = webhooks && deliverWebhooks(context, workerConnection(redisUrl), webhooks);
  const kinds = Object.keys(catalog);
  const declared = declareStore(context, store);
  const ready = <T>(work: () => Promise<T>): Promise<T> => whenReady(context, () => declared().then(work));

  return {
    submit: (submission) => ready(async () => jobView(context, await submitJob(context, policy, submission))),
    submitPipeline: (submission) =>
      ready(async () => pipelineView(context, await submitPipeline(context, policy, submission))),
    get: (id) => ready(() => jobView(context, id)),
    list: (query) => ready(() => listJobs(context, query)),
    cancel: (id) => ready(async () => cancelJob(context, id).then(() => jobView(context, id))),
    retry: (id) => ready(async () => retryJob(context, id).then(() => jobView(context, id))),
    pipeline: (id) => ready(() => pipelineView(context, id)),
    cancelPipeline: (id) => ready(async () => cancelPipeline(context, id).then(() => pipelineView(context, id))),
    events: (id, query) => ready(async () => requireRecord(context, id).then(() => readEvents(context, id, query))),
    subscribe: (id, after, listener) =>
      ready(async () => {
        checkAfter(after);
        await requireRecord(context, id);
        return followers.follow(id, after, listener);
      }),
    workers: () => ready(() => listWorkers(context)),
    drainWorker: (id) => ready(() => drainWorker(context, id)),
    counts: () => ready(() => countJobs(context, kinds)),
    ping: () => ready(async () => void (await context.redis.ping())),
    bullQueues: () => kinds.map((kind) => context.queue(kind)),
    close: async () => {
      followers.close();
      await stopWebhooks?.();
      await context.close();
    },
  };
}
