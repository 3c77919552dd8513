import { z } from "zod";

export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

/** What is read of the JSON that vitest's reporter writes. */
const vitestReport = z.object({
  testResults: z.array(
    z.object({
      status: z.string(),
      assertionResults: z.array(
        z.object({ status: z.enum(["passed", "failed", "skipped", "pending", "todo", "disabled"]) }),
      ),
    }),
  ),
});

/**
 * Counts the tests of a report. A file that could not be run counts as one failure, and so does a run that failed (or left no
 * report) though no test did.
 * @param ok whether the run ended well.
 */
export function countTests(report: unknown, ok: boolean): Tally {
  const { data } = vitestReport.safeParse(report);
  const files = (data?.testResults ?? []).map(({ status, assertionResults }) => {
    const count = (...wanted: string[]): number =>
      assertionResults.filter((result) => wanted.includes(result.status)).length;
    const failed = count("failed");
    return {
      passed: count("passed"),
      failed: status === "failed" ? Math.max(1, failed) : failed,
      skipped: count("skipped", "pending", "todo", "disabled"),
    };
  });
  const tally = total(files);
  const unexplained = (!ok || tally.passed === 0) && tally.failed === 0;
  return unexplained ? { ...tally, failed: 1 } : tally;
}

export function total(tallies: Tally[]): Tally {
  const sum = (field: keyof Tally): number => tallies.reduce((before, tally) => before + tally[field], 0);
  return { passed: sum("passed"), failed: sum("failed"), skipped: sum("skipped") };
}
