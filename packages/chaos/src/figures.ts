import { all, byJob, type Entry, type EntryOf } from "./history.ts";
import { startsOf } from "./check/publishes.ts";

/** Durations in ms. */
export interface Figure {
  count: number;
  p50: number;
  p99: number;
  max: number;
}

export interface Figures {
  /** From the kill of a job's process or worker to the job's next start, whatever else was broken. */
  runningAgain: Figure;
  /** The same, where nothing else was broken meanwhile. */
  runningAgainUndisturbed: Figure;
  /** From the request to cancel a running job to the end of its process. */
  cancelled: Figure;
  cancelledUndisturbed: Figure;
  /** From the acceptance of a job to its start, with idle workers and before the first fault. */
  pickedUp: Figure;
}

export function figures(entries: readonly Entry[]): Figures {
  const faults = all(entries, "fault");
  const again = crashes(entries, faults);
  const cancels = cancellations(entries);
  return {
    runningAgain: summarize(again),
    runningAgainUndisturbed: summarize(again.filter((span) => isUndisturbed(span, faults))),
    cancelled: summarize(cancels),
    cancelledUndisturbed: summarize(cancels.filter((span) => isUndisturbed(span, faults))),
    pickedUp: summarize(pickUps(entries)),
  };
}

interface Span {
  from: number;
  to: number;
}

function crashes(entries: readonly Entry[], faults: EntryOf<"fault">[]): Span[] {
  const starts = startsOf(entries);
  const runs = all(entries, "begun");
  return faults.flatMap(({ at, pids = [] }) =>
    runs.flatMap((run): Span[] => {
      if (!pids.includes(run.pid) && !pids.includes(run.parent)) return [];
      const of = starts.get(run.job) ?? [];
      const [own, next] = [of[run.epoch - 1], of[run.epoch]];
      const ended = all(entries, "done").some(({ job, epoch }) => job === run.job && epoch === run.epoch);
      if (!own || !next || ended || run.at > at || next.at < at) return [];
      return [{ from: at, to: next.at }];
    }),
  );
}

function cancellations(entries: readonly Entry[]): Span[] {
  const asked = byJob(entries, "cancel");
  return all(entries, "gone").flatMap(({ job, at }) => {
    const from = asked.get(job)?.find(({ answer }) => answer === "accepted")?.asked;
    return from === undefined ? [] : [{ from, to: at }];
  });
}

function pickUps(entries: readonly Entry[]): Span[] {
  const events = byJob(entries, "event");
  return all(entries, "accepted").flatMap(({ job, idle }) => {
    const states = (events.get(job) ?? []).filter(({ event }) => event.type === "state");
    const [waits, runs] = states;
    return idle && waits && runs ? [{ from: waits.at, to: runs.at }] : [];
  });
}

/** How long a fault that is over can still be felt: connections come back, leases lapse. */
const aftermathMs = 5000;
const lasting = new Set(["Redis", "store", "API"]);

/** Whether nothing but the fault that a span begins with was broken; kills of other processes don't count. */
function isUndisturbed({ from, to }: Span, faults: EntryOf<"fault">[]): boolean {
  return faults.every(
    ({ at, until = at, target }) =>
      at === from ||
      until + aftermathMs < from ||
      at > to ||
      !(lasting.has(target) || (target.startsWith("worker") && until > at)),
  );
}

function summarize(spans: Span[]): Figure {
  const sorted = spans.map(({ from, to }) => to - from).toSorted((a, b) => a - b);
  /** Nearest rank. */
  const rank = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
  return { count: sorted.length, p50: rank(0.5), p99: rank(0.99), max: sorted.at(-1) ?? 0 };
}
