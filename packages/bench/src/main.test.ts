import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, it } from "vitest";

function bench(...args: string[]) {
  const program = join(import.meta.dirname, "main.ts");
  const run = spawnSync(process.execPath, ["--import", import.meta.resolve("tsx"), program, ...args], {
    encoding: "utf8",
  });
  return { status: run.status, stdout: run.stdout, stderr: run.stderr };
}

const patient = { timeout: 120_000 };

it("says how it is used, and runs nothing", patient, () => {
  const usage = expect.stringMatching(/^usage: npm run bench -- NAME [^]*NAME is one of: compress, .*train[^]*--only/);
  expect(bench("train", "--help")).toEqual({ status: 0, stdout: usage, stderr: "" });
});

it.each([
  [["trian"], "there is no benchmark trian; there are compress,"],
  [["queue", "--nonsense"], "there is no option --nonsense; there are --rounds, --only,"],
  [["queue", "--only", "nonsense"], "--only nonsense: no case has this in its name; there are api, bullmq, cancel,"],
])("refuses %j in one line, with exit code 2", patient, (args, message) => {
  const { status, stdout, stderr } = bench(...args);
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  expect(stderr).toContain(`error: ${message}`);
  expect(stderr.trim().split("\n")).toHaveLength(1);
});
