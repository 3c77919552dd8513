/** `npm test`, after the set-up: runs every check, prints how each went, and ends with `N passed, N failed, N skipped`. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { countTests, total, type Tally } from "./lib/tally.ts";
import { describeSkipped, hasTensorFlow } from "./lib/tensorflow.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const report = join(root, ".whittle/vitest.json");

/** Each counts as one test. */
const checks: [name: string, program: string, args: string[]][] = [
  ["types", "turbo", ["run", "typecheck", "--concurrency=2", "--output-logs=errors-only"]],
  ["types of scripts and tests", "tsc", ["-p", "."]],
  ["lint", "oxlint", ["--type-aware", "--deny-warnings"]],
  ["format", "oxfmt", ["--check"]],
  ["boundaries between packages", "turbo", ["boundaries"]],
  ["unused code", "knip", []],
  ["generated files", "tsx", ["scripts/generate.ts", "--check"]],
];

const results = checks.map(([name, program, args]) => runCheck(name, program, args));
results.push(runTests());

const { passed, failed, skipped } = total(results);
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed === 0 ? 0 : 1;

function runCheck(name: string, program: string, args: string[]): Tally {
  console.log(`\n> ${name}: ${program} ${args.join(" ")}`);
  const { ok, seconds } = run(program, args);
  console.log(`${ok ? "ok  " : "FAIL"} ${name} (${seconds} s)`);
  return { passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0 };
}

function runTests(): Tally {
  console.log("\n> tests: vitest run");
  mkdirSync(join(root, ".whittle"), { recursive: true });
  rmSync(report, { force: true });
  const { ok, seconds } = run("vitest", [
    "run",
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${report}`,
  ]);
  const tally = countTests(readReport(), ok);
  if (!hasTensorFlow()) console.log(describeSkipped(tally.skipped));
  console.log(`${tally.failed === 0 ? "ok  " : "FAIL"} tests (${seconds} s)\n`);
  return tally;
}

function readReport(): unknown {
  try {
    return JSON.parse(readFileSync(report, "utf8"));
  } catch {
    return undefined;
  }
}

function run(program: string, args: string[]): { ok: boolean; seconds: string } {
  const start = performance.now();
  const { status, error } = spawnSync(join(root, "node_modules/.bin", program), args, {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, TURBO_TELEMETRY_DISABLED: "1", TURBO_NO_UPDATE_NOTIFIER: "1", DO_NOT_TRACK: "1" },
  });
  if (error) console.error(error.message);
  return { ok: status === 0, seconds: ((performance.now() - start) / 1000).toFixed(1) };
}
