import type { Entry } from "../history.ts";
import { cancelHolds, failsForAReason, nothingDoubled, oneEnd, sameResult } from "./ends.ts";
import { pointersAreFenced, progressIsFenced } from "./fences.ts";
import { artifactsAreSound, onePublish, publishedByTheLatest } from "./publishes.ts";
import { littleIsRepeated, noOrphans } from "./steps.ts";
import type { Violation } from "./violation.ts";

export type { Violation } from "./violation.ts";

const checks = [
  oneEnd,
  nothingDoubled,
  onePublish,
  publishedByTheLatest,
  progressIsFenced,
  pointersAreFenced,
  littleIsRepeated,
  noOrphans,
  cancelHolds,
  sameResult,
  failsForAReason,
  artifactsAreSound,
];

/** Holds a history against everything that is promised. */
export function check(entries: readonly Entry[]): Violation[] {
  return checks.flatMap((one) => one(entries));
}
