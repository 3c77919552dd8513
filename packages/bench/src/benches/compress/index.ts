import { initEngine } from "@whittle/engine";
import { told, type Bench, type BenchOptions, type Check } from "../../bench.ts";
import { cases } from "./cases/index.ts";
import { openLaboratory, type Case, type Laboratory } from "./laboratory.ts";
import { findRivals, type Rivals } from "./rivals.ts";

export const caseNames = cases.map(({ name }) => name);

/**
 * Whittle's jobs on real data, run as a worker runs them; beside them ONNX Runtime's quantizer and PyTorch's pruning on the same float models,
 * where `WHITTLE_BENCH_PYTHON` (or python3) has them.
 */
export const bench: Bench = async (options) => {
  const { only, say } = options;
  const chosen = cases.filter(({ name, long }) => (only === undefined ? !long : name.includes(only)));
  return runCases(chosen, options, await findRivals(process.env["WHITTLE_BENCH_PYTHON"] ?? "python3", say));
};

/** Runs each case by itself: one that fails costs no other its figures, and shows as a check that is not ok. */
export async function runCases(chosen: Case[], options: BenchOptions, rivals: Rivals): Promise<Check[]> {
  const { say, record } = options;
  await initEngine({ warn: say });
  const laboratory = await openLaboratory(options, rivals);
  const checks: Check[] = [];
  try {
    for (const [at, each] of chosen.entries()) {
      say(`case ${at + 1}/${chosen.length} ${each.name}`);
      checks.push(...(await runCase(each, laboratory)));
      await record?.(checks);
    }
  } finally {
    await laboratory.close();
  }
  return checks;
}

async function runCase({ name, run }: Case, laboratory: Laboratory): Promise<Check[]> {
  const begin = performance.now();
  try {
    const found = await run(laboratory);
    for (const check of found) laboratory.say(`  ${describe(check)}`);
    return [...found, told(`compress/${name}/seconds`, (performance.now() - begin) / 1000)];
  } catch (error) {
    laboratory.say(`  failed: ${error instanceof Error ? error.stack : String(error)}`);
    return [{ name: `compress/${name}/completed`, value: 0, target: 1, ok: false }];
  }
}

function describe({ name, value, target, ok }: Check): string {
  return `${name} ${value}${target === null ? "" : ` (aim ${target}: ${ok ? "met" : "missed"})`}`;
}
