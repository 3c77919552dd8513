import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, it } from "vitest";

const patient = { timeout: 120_000 };

it.each([
  [["--help"], 0, /^usage: npm run chaos -- [^]*--store/, /^$/],
  [["--nonsense"], 2, /^$/, /^error: there is no option --nonsense; there are --faults, .*--help.*\n$/],
  [
    ["--only", "nonsense"],
    2,
    /^$/,
    /^error: --only nonsense: no fault has this in its kind; there are .*disk full.*\n$/,
  ],
])("%j ends with exit code %i and breaks nothing", patient, (args, code, said, complaint) => {
  const program = join(import.meta.dirname, "main.ts");
  const run = spawnSync(process.execPath, ["--import", import.meta.resolve("tsx"), program, ...args], {
    encoding: "utf8",
  });
  expect(run.status).toBe(code);
  expect(run.stdout).toMatch(said);
  expect(run.stderr).toMatch(complaint);
});
