import type { JobState, NewJobEvent } from "@whittle/contracts";
import { describe, expect, it } from "vitest";
import type { Entry, NewEntry } from "../history.ts";
import { chainEnd } from "../job/chain.ts";
import { check } from "./index.ts";

const digest = `sha256:${"0".repeat(64)}`;

function line(at: number, entry: NewEntry): Entry {
  return { ...entry, at };
}

function event(at: number, job: string, told: NewJobEvent): Entry {
  return line(at, { what: "event", job, event: { ...told, at: new Date(at).toISOString() } });
}

const state = (at: number, job: string, name: JobState): Entry => event(at, job, { type: "state", state: name });
const step = (at: number, epoch: number, number: number): Entry =>
  line(at, { what: "step", job: "a", epoch, step: number });
const begun = (at: number, epoch: number, from: number, pid: number): Entry =>
  line(at, { what: "begun", job: "a", epoch, step: from, pid, parent: 1 });
const pointer = (at: number, epoch: number, ...checkpoints: string[]): Entry =>
  line(at, { what: "pointer", job: "a", epoch, checkpoints });
const progress = (at: number, epoch: number): Entry =>
  event(at, "a", { type: "progress", fraction: 0.5, stage: `epoch ${epoch} step 1` });

/**
 * Job `a` (5 steps, a checkpoint every 2) is killed at step 3, and completes in its second run; job `b` is cancelled.
 */
const sound: Entry[] = [
  line(0, { what: "accepted", job: "a", submission: 1, steps: 5, interval: 2, idle: false }),
  line(0, { what: "accepted", job: "a", submission: 1, steps: 5, interval: 2, idle: false }),
  state(0, "a", "waiting"),
  state(10, "a", "running"),
  begun(11, 1, 0, 100),
  ...[1, 2, 3].map((number) => step(10 + 2 * number, 1, number)),
  progress(13, 1),
  pointer(15, 1, "1-1-checkpoint"),
  line(20, { what: "fault", kind: "child killed", target: "worker-0", pids: [100] }),
  state(21, "a", "waiting"),
  state(30, "a", "running"),
  pointer(31, 2, "1-1-checkpoint"),
  begun(31, 2, 2, 200),
  ...[3, 4, 5].map((number) => step(30 + 2 * number, 2, number)),
  progress(37, 2),
  pointer(38, 2, "2-1-checkpoint", "1-1-checkpoint"),
  state(50, "a", "completed"),
  line(60, {
    what: "final",
    job: "a",
    submission: 1,
    state: "completed",
    result: {
      artifact: { name: "m", version: 1, digest },
      metrics: { chain: chainEnd({ submission: 1, steps: 5 }) },
    },
  }),
  line(60, {
    what: "version",
    name: "m",
    version: 1,
    digest,
    job: "a",
    epoch: 2,
    createdAt: new Date(45).toISOString(),
  }),
  line(0, { what: "accepted", job: "b", submission: 2, steps: 5, interval: 2, idle: false }),
  state(0, "b", "waiting"),
  line(5, { what: "cancel", job: "b", asked: 4, answer: "accepted" }),
  state(5, "b", "cancelled"),
  line(60, { what: "final", job: "b", submission: 2, state: "cancelled" }),
];

/** The invariants that a history breaks. */
function broken(entries: Entry[]): string[] {
  return [...new Set(check(entries).map(({ invariant }) => invariant))];
}

function without(what: Entry["what"], job: string): Entry[] {
  return sound.filter((entry) => !(entry.what === what && "job" in entry && entry.job === job));
}

function changed<W extends Entry["what"]>(what: W, job: string, change: Partial<Extract<Entry, { what: W }>>): Entry[] {
  return sound.map((entry) =>
    entry.what === what && "job" in entry && entry.job === job ? Object.assign({}, entry, change) : entry,
  );
}

describe("the checker", () => {
  it("finds nothing wrong with a job that was killed and goes on, and one that was cancelled", () => {
    expect(check(sound)).toEqual([]);
  });

  it.each<[invariant: string, what: string, entries: Entry[]]>([
    ["one end", "an acknowledged job that is gone", without("final", "b")],
    ["one end", "a job that never ends", changed("final", "b", { state: "queue" })],
    ["one end", "a job that ends twice", [...sound, state(70, "b", "cancelled")]],
    ["one end", "a job that starts after its end", [...sound, state(70, "b", "running")]],
    ["nothing doubled", "two jobs of one submission", changed("accepted", "b", { submission: 1 })],
    ["one publish", "a job that publishes twice", [...sound, ...changed("version", "a", { version: 2 })]],
    ["one publish", "a completed job without an artifact", without("version", "a")],
    ["one publish", "a cancelled job that publishes", changed("version", "a", { job: "b" })],
    ["one publish", "an artifact that is not the result's", changed("version", "a", { version: 7 })],
    ["published by the latest", "a late run that publishes", changed("version", "a", { epoch: 1 })],
    ["progress is fenced", "progress of a late run", [...sound, progress(40, 1)]],
    ["pointers are fenced", "a late run's checkpoint", [...sound, pointer(39, 2, "1-2-checkpoint")]],
    ["little is repeated", "a run that begins before its last checkpoint", changed("begun", "a", { step: 0 })],
    ["no orphans", "a process that is left", [...sound, line(70, { what: "orphan", pid: 300, command: "child.js" })]],
    ["no orphans", "a killed run that goes on", [...sound, step(20_000, 1, 4)]],
    ["cancel holds", "a cancelled job that completes", [...sound, { ...cancelOf("a") }]],
    ["same result", "another result than without faults", resultOf("something else")],
    ["fails for a reason", "an error that no fault explains", failedWith("internal")],
    ["artifacts are sound", "damage", [...sound, line(70, { what: "damage", path: "blobs/x", message: "is damaged" })]],
  ])("finds what breaks '%s': %s", (invariant, _what, entries) => {
    expect(broken(entries)).toContain(invariant);
  });

  it("shows the lines of what it found, and only that", () => {
    const orphan = line(70, { what: "orphan", pid: 300, command: "child.js" });
    expect(check([...sound, orphan])).toEqual([
      { invariant: "no orphans", message: "process 300 is left: child.js", lines: [orphan] },
    ]);
  });

  it("takes a failure that faults explain", () => {
    expect(broken(failedWith("quarantined"))).toEqual([]);
  });

  it("takes a pointer that is again what it was when Redis was killed before it had flushed, and only then", () => {
    const back = [pointer(39, 2, "2-1-checkpoint"), pointer(45, 3, "1-1-checkpoint")];
    const killed = line(40, { what: "fault", kind: "Redis killed", target: "Redis", until: 42 });
    expect(broken([...sound, ...back])).toContain("pointers are fenced");
    expect(broken([...sound, ...back, killed])).not.toContain("pointers are fenced");
    const other = [...back.slice(0, 1), pointer(45, 3, "1-2-checkpoint")];
    expect(broken([...sound, ...other, killed])).toContain("pointers are fenced");
  });

  it("lets a run repeat one interval more for each checkpoint that was damaged", () => {
    const warning = event(32, "a", {
      type: "log",
      level: "warn",
      message: "checkpoint 1-1-checkpoint can't be used: x",
    });
    const restarted = changed("begun", "a", { step: 0 });
    expect(broken([...restarted, warning])).toEqual([]);
    const torn = (target: string) => line(25, { what: "fault", kind: "checkpoint torn", target });
    expect(broken([...restarted, torn("a")])).toEqual([]);
    expect(broken([...restarted, torn("b")])).toEqual(["little is repeated"]);
    const full = (from: number, until: number) =>
      line(from, { what: "fault", kind: "disk full", target: "store", until });
    expect(broken([...restarted, full(1, 40)])).toEqual([]);
    expect(broken([...restarted, full(5000, 6000)])).toEqual(["little is repeated"]);
  });
});

function cancelOf(job: string): Entry {
  return line(48, { what: "cancel", job, asked: 47, answer: "accepted" });
}

function resultOf(chain: string): Entry[] {
  return changed("final", "a", { result: { artifact: { name: "m", version: 1, digest }, metrics: { chain } } });
}

function failedWith(code: "internal" | "quarantined"): Entry[] {
  const { ...error } = { code, message: "as told" };
  return sound.flatMap((entry): Entry[] => {
    if (!("job" in entry) || entry.job !== "b" || entry.what === "cancel") return [entry];
    if (entry.what === "final") return [{ ...entry, state: "failed", error }];
    return entry.what === "event" && entry.at === 5 ? [state(5, "b", "failed")] : [entry];
  });
}
