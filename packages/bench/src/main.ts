import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import type { Bench } from "./bench.ts";
import { machine } from "./machine.ts";

const benches: Record<string, () => Promise<{ bench: Bench }>> = {
  queue: () => import("./benches/queue/index.ts"),
  train: () => import("./benches/train/index.ts"),
};

/** Runs one benchmark by name; prints its result as one line of JSON, the last of its output, and writes it to the file asked for. */
async function main(): Promise<void> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { rounds: { type: "string", default: "5" }, only: { type: "string" }, out: { type: "string" } },
  });
  const name = positionals[0] ?? "";
  const load = benches[name];
  const rounds = Number(values.rounds);
  if (!load || !Number.isInteger(rounds) || rounds < 1) {
    const known = Object.keys(benches).join(", ");
    process.stderr.write(
      `usage: npm run bench -- NAME [--rounds N] [--only CASE] [--out FILE]\nNAME is one of: ${known}\n`,
    );
    process.exitCode = 2;
    return;
  }
  const { bench } = await load();
  const checks = await bench({ rounds, only: values.only, say: (line) => process.stdout.write(`${line}\n`) });
  const result = `${JSON.stringify({ bench: name, machine: machine(), checks })}\n`;
  if (values.out !== undefined) await writeFile(values.out, result);
  process.stdout.write(result);
}

await main();
