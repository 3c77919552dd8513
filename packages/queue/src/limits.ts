const day = 86_400;

/** How long a job's record and events stay after its end. */
export const retentionSeconds = 30 * day;
/** How long BullMQ keeps finished jobs, for Bull Board. */
export const bullRetention = { age: 7 * day, count: 5000 };
/** Events kept of one job; the oldest go first. */
export const maxEvents = 10_000;
/** How long a worker holds a job without renewing its claim, and how often lapsed claims are looked for. */
export const lockDurationMs = 10_000;
export const stalledIntervalMs = 5_000;
/** How often one job may lose its worker before it fails; these losses use none of its attempts. */
export const maxLostWorkers = 10;
/** How often a worker announces itself, and how long an announcement holds. */
export const announceEveryMs = 5_000;
export const announcementSeconds = 15;
