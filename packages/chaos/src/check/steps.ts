import { all, byJob, type EntryOf } from "../history.ts";
import type { Check, Violation } from "./violation.ts";

const unusable = /^checkpoint .* (can't be used|is gone)/;
const unkept = /^the checkpoint was not kept/;
/** Checkpoints that a job keeps. */
const kept = 2;

/**
 * A run begins at most one checkpoint interval before the furthest step that any earlier run did; one more for each checkpoint that could not be
 * written, or was damaged; and from the start when none could be used. Runs tell of such checkpoints; a run that is killed or cut off from
 * Redis may not come to that, so each checkpoint of the job that was torn, or due while the storage failed, stands for one as well.
 */
export const littleIsRepeated: Check = (entries) => {
  const accepted = byJob(entries, "accepted");
  const steps = byJob(entries, "step");
  const events = byJob(entries, "event");
  const storageFaults = all(entries, "fault").filter(
    ({ kind, target }) => kind === "checkpoint torn" || target === "store",
  );
  const problems = [...byJob(entries, "begun")].flatMap(([job, runs]) =>
    runs.map((begun): Violation[] => {
      const { interval = 0 } = accepted.get(job)?.[0] ?? {};
      const earlier = (steps.get(job) ?? []).filter(({ epoch, at }) => epoch < begun.epoch && at <= begun.at);
      const furthest = Math.max(0, ...earlier.map(({ step }) => step));
      const warnings = (events.get(job) ?? []).filter(({ event }) => event.type === "log");
      const lost = warnings.filter(({ at }) => at <= begun.at + tellMs);
      const ownLost = lost.filter((line) => matches(line, unusable) && line.at >= (earlier.at(-1)?.at ?? 0));
      if (begun.step === 0 && ownLost.length >= kept) return [];
      const told = lost.filter((line) => matches(line, unusable) || matches(line, unkept)).length;
      const met = storageFaults.filter(({ target, at }) => target === job && at <= begun.at).length;
      const due = earlier.filter(({ step, at }) => step % interval === 0 && storageFaults.some(covers(at)));
      const excused = Math.max(told, met + due.length);
      const repeated = furthest - begun.step;
      if (repeated <= interval * (1 + excused)) return [];
      const message = `run ${begun.epoch} of job ${job} repeats ${repeated} steps, with a checkpoint every ${interval}`;
      return [{ invariant: "little is repeated", message, lines: [...earlier.slice(-1), begun, ...lost] }];
    }),
  );
  return problems.flat();
};

/** Whether the storage failed when a checkpoint was due at `at`, or while it was written. */
function covers(at: number) {
  return ({ target, at: from, until = from }: EntryOf<"fault">): boolean =>
    target === "store" && at >= from - writingMs && at <= until;
}

/** How long a checkpoint may take to be written on a busy machine. */
const writingMs = 500;

/** A run's warnings get their time from its worker, a moment after the run wrote its own. */
const tellMs = 2000;

function matches({ event }: EntryOf<"event">, pattern: RegExp): boolean {
  return event.type === "log" && pattern.test(event.message);
}

/** How long a child may go on when its worker is killed: the kernel needs a moment to reach it on a busy machine. */
const dyingMs = 5000;

/** A job's process dies with its worker, and none is left in the end. */
export const noOrphans: Check = (entries) => {
  const left = all(entries, "orphan").map((orphan): Violation => {
    return { invariant: "no orphans", message: `process ${orphan.pid} is left: ${orphan.command}`, lines: [orphan] };
  });
  const begun = byJob(entries, "begun");
  const killed = new Map(all(entries, "fault").flatMap((fault) => (fault.pids ?? []).map((pid) => [pid, fault])));
  const working = all(entries, "step").flatMap((step): Violation[] => {
    const run = begun.get(step.job)?.find(({ epoch }) => epoch === step.epoch);
    const fault = run && (killed.get(run.parent) ?? killed.get(run.pid));
    if (!run || !fault || fault.at < run.at || step.at < fault.at + dyingMs) return [];
    const message = `run ${step.epoch} of job ${step.job} went on after it was killed`;
    return [{ invariant: "no orphans", message, lines: [run, fault, step] }];
  });
  return [...left, ...working];
};
