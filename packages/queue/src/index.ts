export { createQueue, type JobQueue, type QueueOptions } from "./queue.ts";
export { createConsumer, type Consumer, type ConsumerOptions } from "./consumer.ts";
export type { Execute, JobHandle, StopReason } from "./run-job.ts";
export { parseParams, planPipeline, type Catalog, type PlannedStep } from "./pipeline.ts";
export type { Submission, PipelineSubmission } from "./submit.ts";
export { eventId, isFinal, type EventQuery } from "./events.ts";
export type { JobPage, ListQuery } from "./list.ts";
export type { KindCounts } from "./counts.ts";
export type { Retention } from "./retention.ts";
