import { all, byJob, type Entry, type EntryOf } from "../history.ts";
import type { Check, Violation } from "./violation.ts";

/** A completed job has published once, what its result says; every other job nothing. */
export const onePublish: Check = (entries) => {
  const versions = byJob(entries, "version");
  const finals = byJob(entries, "final");
  const problems = [...new Set([...versions.keys(), ...finals.keys()])].map((job): Violation[] => {
    const published = versions.get(job) ?? [];
    const [final] = finals.get(job) ?? [];
    const wrong = (message: string): Violation[] => [
      { invariant: "one publish", message: `job ${job} ${message}`, lines: [...published, ...(final ? [final] : [])] },
    ];
    if (final?.state !== "completed")
      return published.length === 0 ? [] : wrong(`is ${final?.state ?? "unknown"} and has published`);
    if (published.length !== 1) return wrong(`has published ${published.length} times`);
    return isSame(published[0], final.result?.artifact) ? [] : wrong("has published something else than it says");
  });
  return problems.flat();
};

function isSame(
  version: EntryOf<"version"> | undefined,
  artifact: { name: string; version: number; digest: string } | undefined,
): boolean {
  return (
    version !== undefined &&
    artifact?.name === version.name &&
    artifact.version === version.version &&
    artifact.digest === version.digest
  );
}

/** Who publishes is the latest run of the job at that time. */
export const publishedByTheLatest: Check = (entries) => {
  const starts = startsOf(entries);
  return all(entries, "version").flatMap((version) => {
    const begun = (starts.get(version.job) ?? []).filter(({ at }) => at < Date.parse(version.createdAt));
    if (version.epoch >= begun.length) return [];
    return {
      invariant: "published by the latest",
      message: `job ${version.job} was published by run ${version.epoch} when run ${begun.length} had begun`,
      lines: [...begun, version],
    };
  });
};

/** The events that say that a job runs: the n-th is that of its n-th epoch. */
export function startsOf(entries: readonly Entry[]): Map<string, EntryOf<"event">[]> {
  const starts = new Map<string, EntryOf<"event">[]>();
  for (const [job, events] of byJob(entries, "event"))
    starts.set(
      job,
      events.filter(({ event }) => event.type === "state" && event.state === "running"),
    );
  return starts;
}

/** Everything that was published can be read, whole and as it was. */
export const artifactsAreSound: Check = (entries) =>
  all(entries, "damage").map((damage) => ({
    invariant: "artifacts are sound",
    message: `${damage.path}: ${damage.message}`,
    lines: [damage],
  }));
