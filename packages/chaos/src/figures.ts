import { all, byJob, type Entry, type EntryOf } from "./history.ts";

/** Durations in ms. */
export interface Figure {
  count: number;
  p50: number;
  p99: number;
  max: number;
}

export interface Figures {
  /**
   * From the kill of a job's process until a worker has the job again, whatever else is broken. A run that can't open a broken store then fails
   * before its process begins, and the job pauses: that is the other fault's doing.
   */
  childKilledTaken: Figure;
  /** The same to the first moment of the job's next process, with all pauses and failed runs before that. */
  childKilled: Figure;
  /** The same, where nothing else was broken meanwhile. */
  childKilledUndisturbed: Figure;
  /** As for the process, from the kill of a job's worker. */
  workerKilledTaken: Figure;
  workerKilled: Figure;
  workerKilledUndisturbed: Figure;
  /** Of these undisturbed ones: until the job was seen to have lost its run, until a worker had taken it, until its process had begun. */
  workerKilledParts: { noticed: Figure; taken: Figure; begun: Figure };
  /** As for the worker, from the loss of its whole host. */
  hostLostTaken: Figure;
  hostLost: Figure;
  /** From the request to cancel a running job to the end of its process. */
  cancelled: Figure;
  cancelledUndisturbed: Figure;
  /** From the acceptance of a job to its start, with idle workers and before the first fault. */
  pickedUp: Figure;
}

export function figures(entries: readonly Entry[]): Figures {
  const faults = all(entries, "fault");
  const child = recoveries(entries, faults, "child killed");
  const worker = recoveries(entries, faults, "worker killed");
  const calm = undisturbed(worker, faults);
  const host = recoveries(entries, faults, "worker's host lost, another comes");
  const cancels = cancellations(entries);
  return {
    childKilledTaken: summarize(child.map(({ from, taken }) => ({ from, to: taken }))),
    childKilled: summarize(child),
    childKilledUndisturbed: summarize(undisturbed(child, faults)),
    workerKilledTaken: summarize(worker.map(({ from, taken }) => ({ from, to: taken }))),
    workerKilled: summarize(worker),
    workerKilledUndisturbed: summarize(calm),
    workerKilledParts: {
      noticed: summarize(calm.map(({ from, waits }) => ({ from, to: waits }))),
      taken: summarize(calm.map(({ waits, taken }) => ({ from: waits, to: taken }))),
      begun: summarize(calm.map(({ taken, to }) => ({ from: taken, to }))),
    },
    hostLostTaken: summarize(host.map(({ from, taken }) => ({ from, to: taken }))),
    hostLost: summarize(host),
    cancelled: summarize(cancels),
    cancelledUndisturbed: summarize(undisturbed(cancels, faults)),
    pickedUp: summarize(pickUps(entries)),
  };
}

interface Span {
  from: number;
  to: number;
}

/** `waits`: when the job was seen to have lost its run; `taken`: when a worker first had it again. */
interface Recovery extends Span {
  waits: number;
  taken: number;
}

function recoveries(entries: readonly Entry[], faults: EntryOf<"fault">[], kind: string): Recovery[] {
  const begun = byJob(entries, "begun");
  const done = byJob(entries, "done");
  const states = statesOf(entries);
  const recoveryOf = (fault: EntryOf<"fault">, job: string): Recovery[] => {
    const runs = begun.get(job) ?? [];
    const told = states.get(job) ?? [];
    const run = runs.findLast(({ at }) => at <= fault.at);
    const next = runs.find(({ at }) => at > fault.at);
    const state = told.findLast(({ at }) => at <= fault.at);
    const struck = run && kills(fault, run) && state?.name === "running";
    if (!struck || !next || done.get(job)?.some(({ epoch }) => epoch === run.epoch)) return [];
    const later = told.filter(({ at }) => at >= fault.at && at <= next.at);
    const taken = later.find(({ name }) => name === "running")?.at ?? next.at;
    const waits = later.find(({ name }) => name === "waiting")?.at ?? taken;
    return [{ from: fault.at, waits, taken, to: next.at }];
  };
  return faults
    .filter((fault) => fault.kind === kind)
    .flatMap((fault) => [...begun.keys()].flatMap((job) => recoveryOf(fault, job)));
}

function kills({ pids = [] }: EntryOf<"fault">, { pid, parent }: EntryOf<"begun">): boolean {
  return pids.includes(pid) || pids.includes(parent);
}

/** The states that each job has come into, in order. */
function statesOf(entries: readonly Entry[]): Map<string, { at: number; name: string }[]> {
  const states = new Map<string, { at: number; name: string }[]>();
  for (const [job, events] of byJob(entries, "event"))
    states.set(
      job,
      events.flatMap(({ at, event }) => (event.type === "state" ? [{ at, name: event.state }] : [])),
    );
  return states;
}

function cancellations(entries: readonly Entry[]): Span[] {
  const asked = byJob(entries, "cancel");
  return all(entries, "gone").flatMap(({ job, at }) => {
    const from = asked.get(job)?.find(({ answer }) => answer === "accepted")?.asked;
    return from === undefined ? [] : [{ from, to: at }];
  });
}

function pickUps(entries: readonly Entry[]): Span[] {
  const states = statesOf(entries);
  return all(entries, "accepted").flatMap(({ job, idle }) => {
    const [waits, runs] = states.get(job) ?? [];
    return idle && waits && runs ? [{ from: waits.at, to: runs.at }] : [];
  });
}

/** How long a fault that is over can still be felt: connections come back, leases lapse. */
const aftermathMs = 5000;
const lasting = new Set(["Redis", "store", "API"]);

/** Those in which nothing but the fault that they begin with was broken; kills of other processes don't count. */
function undisturbed<S extends Span>(spans: S[], faults: EntryOf<"fault">[]): S[] {
  return spans.filter(({ from, to }) =>
    faults.every(
      ({ at, until = at, target }) =>
        at === from ||
        until + aftermathMs < from ||
        at > to ||
        !(lasting.has(target) || (target.startsWith("worker") && until > at)),
    ),
  );
}

function summarize(spans: Span[]): Figure {
  const sorted = spans.map(({ from, to }) => to - from).toSorted((a, b) => a - b);
  /** Nearest rank. */
  const rank = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
  return { count: sorted.length, p50: rank(0.5), p99: rank(0.99), max: sorted.at(-1) ?? 0 };
}
