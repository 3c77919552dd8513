import type { Entry } from "../history.ts";

/** A promise that was broken, with the lines of the history that show it. */
export interface Violation {
  invariant: string;
  message: string;
  lines: Entry[];
}

/** Looks through a whole history for one kind of broken promise. */
export type Check = (entries: readonly Entry[]) => Violation[];

const ends = new Set(["completed", "failed", "cancelled"]);

export function isEnd(state: string): boolean {
  return ends.has(state);
}
