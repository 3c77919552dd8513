import { appendFileSync } from "node:fs";
import type { JobEvent, JobResult, SerializedError } from "@whittle/contracts";

/** What a job's own process writes down. `parent` is its supervisor's process; `skewMs`: how far its host's clock is ahead. */
export type WitnessLine =
  | { what: "begun"; step: number; pid: number; parent: number; skewMs?: number }
  | { what: "step"; step: number }
  | { what: "done" };

/** Everything that was done, acknowledged and seen, each with its time in ms since 1970 by this machine's clock. */
export type Entry = { at: number } & (
  | (WitnessLine & { job: string; epoch: number })
  /** The API acknowledged a submission. */
  | { what: "accepted"; job: string; submission: number; steps: number; interval: number; idle: boolean }
  /** The API was asked to cancel; `asked` is when. `unknown`: no answer came. */
  | { what: "cancel"; job: string; asked: number; answer: "accepted" | "refused" | "unknown" }
  /** The process of a job that was to be cancelled is gone. */
  | { what: "gone"; job: string; pid: number }
  /** `pids`: the processes that were killed. `until`: when a fault that lasts is over. */
  | { what: "fault"; kind: string; target: string; pids?: number[]; until?: number }
  /** The pointer to a job's checkpoints as it lies in Redis. */
  | { what: "pointer"; job: string; epoch: number; checkpoints: string[] }
  /** What Redis has of a job when all is over: its events, in order, and how it ended. */
  | { what: "event"; job: string; event: JobEvent }
  | { what: "final"; job: string; submission: number; state: string; result?: JobResult; error?: SerializedError }
  /** What the store has when all is over. */
  | { what: "version"; name: string; version: number; digest: string; job: string; epoch: number; createdAt: string }
  | { what: "damage"; path: string; message: string }
  /** A process that is there although all were stopped. */
  | { what: "orphan"; pid: number; command: string }
);

export type EntryOf<W extends Entry["what"]> = Extract<Entry, { what: W }>;

/** A line that has not got its time yet. */
export type NewEntry = Entry extends infer E ? (E extends Entry ? Omit<E, "at"> & { at?: number } : never) : never;

export interface History {
  entries: Entry[];
  add(entry: NewEntry): void;
}

/** A history that is also appended to a file, line by line. */
export function createHistory(file: string): History {
  const entries: Entry[] = [];
  return {
    entries,
    add: (entry) => {
      const stamped: Entry = { ...entry, at: entry.at ?? Date.now() };
      entries.push(stamped);
      appendFileSync(file, `${JSON.stringify(stamped)}\n`);
    },
  };
}

/** The entries of one sort. */
export function all<W extends Entry["what"]>(entries: readonly Entry[], what: W): EntryOf<W>[] {
  return entries.filter((entry): entry is EntryOf<W> => entry.what === what);
}

/** The entries of one sort by their job, in order. */
export function byJob<W extends Extract<Entry, { job: string }>["what"]>(
  entries: readonly Entry[],
  what: W,
): Map<string, (EntryOf<W> & { job: string })[]> {
  const jobs = new Map<string, (EntryOf<W> & { job: string })[]>();
  for (const entry of entries) {
    if (!isOf(entry, what)) continue;
    const known = jobs.get(entry.job);
    if (known) known.push(entry);
    else jobs.set(entry.job, [entry]);
  }
  return jobs;
}

function isOf<W extends Entry["what"]>(entry: Entry, what: W): entry is EntryOf<W> & { job: string } {
  return entry.what === what && "job" in entry;
}
