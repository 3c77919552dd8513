const day = 86_400;

/** How long ended jobs are kept, and how many of each way to end. */
export const retention = {
  completed: { ageMs: 30 * day * 1000, count: 100_000 },
  failed: { ageMs: 90 * day * 1000, count: 100_000 },
  cancelled: { ageMs: 30 * day * 1000, count: 100_000 },
};
/** How long what a pipeline consists of is kept. */
export const pipelineSeconds = 120 * day;
/** How often the records are compared with BullMQ. */
export const reconcileEveryMs = 30_000;
/** How long BullMQ keeps finished jobs, for Bull Board. */
export const bullRetention = { age: 7 * day, count: 5000 };
/** Events kept of one job; the oldest go first. */
export const maxEvents = 10_000;
/** How long a worker holds a job without renewing its claim, and how often lapsed claims are looked for. */
export const lockDurationMs = 10_000;
export const stalledIntervalMs = 2_000;
/** How often in a row, without a new checkpoint, a job's process or worker may die before the job is not run again. */
export const quarantineAfter = 5;
/** Runs and checkpoints that a job's record keeps. */
export const keptRuns = 20;
export const keptCheckpoints = 2;
/** Wait before the n-th run after a failure, doubled each time, and its upper limit. */
export const firstBackoffMs = 1000;
export const maxBackoffMs = 60_000;
/**
 * How long a command waits for an answer before a new connection is made: over one that a network has dropped without a word, the kernel
 * tries for a quarter of an hour, more and more rarely. BullMQ's own reads wait for up to 10 s.
 */
export const silenceMs = 15_000;
/** How often a worker announces itself, and how long an announcement holds. */
export const announceEveryMs = 5_000;
export const announcementSeconds = 15;
/** How long the wish that a worker drains is kept for one that can't hear it now. */
export const drainWishSeconds = day;
/** A webhook hears of a job's progress at most this often. */
export const progressWebhookMs = 10_000;
