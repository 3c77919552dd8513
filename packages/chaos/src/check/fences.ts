import { all, byJob } from "../history.ts";
import type { Check, Violation } from "./violation.ts";

/** What a run tells is accepted while it is the latest one only: progress carries its epoch, and each start counts one up. */
export const progressIsFenced: Check = (entries) => {
  const problems = [...byJob(entries, "event")].map(([job, events]): Violation[] => {
    let latest = 0;
    const late = events.filter(({ event }) => {
      if (event.type === "state" && event.state === "running") latest++;
      return event.type === "progress" && epochOfStage(event.stage) !== latest;
    });
    if (late.length === 0) return [];
    const message = `job ${job} has progress of a run that was not its latest`;
    return [{ invariant: "progress is fenced", message, lines: late }];
  });
  return problems.flat();
};

function epochOfStage(stage: string): number {
  return Number(/^epoch (\d+) /.exec(stage)?.[1]);
}

/**
 * A checkpoint becomes the newest only while its run is the job's latest; its name begins with its epoch. A Redis that is killed while its
 * disk is late with a flush comes back as it was a moment before: then a pointer may be again what it was.
 */
export const pointersAreFenced: Check = (entries) => {
  const kills = all(entries, "fault").filter(({ kind }) => kind === "Redis killed");
  const problems = [...byJob(entries, "pointer")].map(([job, pointers]) =>
    pointers.flatMap((pointer, at): Violation[] => {
      const before = pointers[at - 1];
      const [name] = pointer.checkpoints;
      if (!before || name === undefined || name === before.checkpoints[0]) return [];
      if (Number.parseInt(name, 10) >= before.epoch) return [];
      const wasSo = pointers
        .slice(0, at)
        .some(({ checkpoints }) => String(checkpoints) === String(pointer.checkpoints));
      if (wasSo && kills.some((kill) => kill.at >= before.at - seenMs && kill.at <= pointer.at)) return [];
      const message = `job ${job} took checkpoint ${name} after run ${before.epoch} had begun`;
      return [{ invariant: "pointers are fenced", message, lines: [before, pointer] }];
    }),
  );
  return problems.flat();
};

/** How much later than Redis had it a pointer may be seen. */
const seenMs = 1000;
