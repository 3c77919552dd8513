import { byJob, all, type EntryOf } from "../history.ts";
import { chainEnd } from "../job/chain.ts";
import { isEnd, type Check, type Violation } from "./violation.ts";

/** Every acknowledged job ends in exactly one terminal state, and nothing comes after it. */
export const oneEnd: Check = (entries) => {
  const accepted = byJob(entries, "accepted");
  const finals = byJob(entries, "final");
  const events = byJob(entries, "event");
  const problems = [...new Set([...accepted.keys(), ...finals.keys()])].map((job): Violation[] => {
    const [final] = finals.get(job) ?? [];
    const states = (events.get(job) ?? []).filter(({ event }) => event.type === "state");
    const wrong = (message: string): Violation[] => [
      { invariant: "one end", message: `job ${job} ${message}`, lines: [...(final ? [final] : []), ...states] },
    ];
    if (!final) return wrong("was acknowledged and is gone");
    if (!isEnd(final.state)) return wrong(`has not ended, it is ${final.state}`);
    const told = states.map(({ event }) => (event.type === "state" ? event.state : ""));
    const endings = told.filter(isEnd);
    if (endings.length !== 1) return wrong(`has ended ${endings.length} times`);
    if (told.at(-1) !== final.state) return wrong(`is ${final.state}, and its last event says ${told.at(-1)}`);
    return [];
  });
  return problems.flat();
};

/** A submission makes one job, however often it was sent. */
export const nothingDoubled: Check = (entries) => {
  const jobs = new Map<number, Set<string>>();
  const lines: (EntryOf<"accepted"> | EntryOf<"final">)[] = [...all(entries, "accepted"), ...all(entries, "final")];
  for (const { submission, job } of lines) jobs.set(submission, (jobs.get(submission) ?? new Set()).add(job));
  return [...jobs].flatMap(([submission, ids]) =>
    ids.size === 1
      ? []
      : {
          invariant: "nothing doubled",
          message: `submission ${submission} became the jobs ${[...ids].join(", ")}`,
          lines: lines.filter((line) => line.submission === submission),
        },
  );
};

/** A job whose cancellation was acknowledged does not complete; with {@link onePublish} it publishes nothing. */
export const cancelHolds: Check = (entries) => {
  const cancels = byJob(entries, "cancel");
  return all(entries, "final").flatMap((final) => {
    const accepted = (cancels.get(final.job) ?? []).filter(({ answer }) => answer === "accepted");
    if (accepted.length === 0 || final.state !== "completed") return [];
    return {
      invariant: "cancel holds",
      message: `job ${final.job} was cancelled and has completed`,
      lines: [...accepted, final],
    };
  });
};

/** What came out is what an uninterrupted run gives. */
export const sameResult: Check = (entries) => {
  const accepted = byJob(entries, "accepted");
  return all(entries, "final").flatMap((final) => {
    const [submitted] = accepted.get(final.job) ?? [];
    if (!submitted || final.state !== "completed") return [];
    if (final.result?.metrics["chain"] === chainEnd(submitted)) return [];
    return {
      invariant: "same result",
      message: `job ${final.job} gave something else than without faults`,
      lines: [submitted, final],
    };
  });
};

/** What faults may make of a job: its processes died again and again, or it met a broken store as often as it may. */
const excuses = new Set(["quarantined", "unavailable", "worker_lost"]);

/** Jobs fail of the faults only, never of an error of Whittle's own. */
export const failsForAReason: Check = (entries) =>
  all(entries, "final").flatMap((final) =>
    final.state !== "failed" || excuses.has(final.error?.code ?? "")
      ? []
      : {
          invariant: "fails for a reason",
          message: `job ${final.job} failed: ${final.error?.code}: ${final.error?.message}`,
          lines: [final],
        },
  );
