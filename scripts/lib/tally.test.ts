import { expect, it } from "vitest";
import { countTests, total } from "./tally.ts";

const file = (status: string, ...tests: string[]) => ({
  status,
  assertionResults: tests.map((each) => ({ status: each })),
});

it("counts what passed, failed and was skipped", () => {
  const report = {
    testResults: [file("passed", "passed", "passed", "skipped", "todo"), file("failed", "failed", "passed")],
  };
  expect(countTests(report, false)).toEqual({ passed: 3, failed: 1, skipped: 2 });
});

it.each([
  ["a file that could not be run", { testResults: [file("passed", "passed"), file("failed")] }, false],
  ["an error outside the tests", { testResults: [file("passed", "passed")] }, false],
])("counts %s as a failure", (_what, report, ok) => {
  expect(countTests(report, ok)).toEqual({ passed: 1, failed: 1, skipped: 0 });
});

it.each([[undefined], [{}], [{ testResults: [] }]])("counts a run that tested nothing (%j) as a failure", (report) => {
  expect(countTests(report, true)).toEqual({ passed: 0, failed: 1, skipped: 0 });
});

it("adds up", () => {
  const one = { passed: 1, failed: 2, skipped: 3 };
  expect(total([one, one])).toEqual({ passed: 2, failed: 4, skipped: 6 });
});
