import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import type { Bench, Check } from "./bench.ts";
import { machine } from "./machine.ts";

const benches: Record<string, () => Promise<{ bench: Bench }>> = {
  compress: () => import("./benches/compress/index.ts"),
  precision: () => import("./benches/precision/index.ts"),
  queue: () => import("./benches/queue/index.ts"),
  serve: () => import("./benches/serve/index.ts"),
  train: () => import("./benches/train/index.ts"),
};

/** Runs one benchmark by name; prints its result as one line of JSON, the last of its output, and writes it to the file asked for. */
async function main(): Promise<void> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: "string", default: "5" },
      only: { type: "string" },
      quick: { type: "boolean", default: false },
      epochs: { type: "string" },
      out: { type: "string" },
    },
  });
  const name = positionals[0] ?? "";
  const load = benches[name];
  const rounds = Number(values.rounds);
  const epochs = values.epochs === undefined ? undefined : Number(values.epochs);
  if (!load || !isCount(rounds) || !isCount(epochs ?? 1)) {
    const known = Object.keys(benches).join(", ");
    process.stderr.write(
      "usage: npm run bench -- NAME [--rounds N] [--only CASE] [--quick] [--epochs N] [--out FILE]\n" +
        `NAME is one of: ${known}; --quick and --epochs are of compress\n`,
    );
    process.exitCode = 2;
    return;
  }
  const options = { rounds, epochs, only: values.only, quick: values.quick };
  const found = { bench: name, machine: machine(), options };
  const encode = (checks: Check[]): string => `${JSON.stringify({ ...found, checks })}\n`;
  const record = async (checks: Check[]): Promise<void> => {
    if (values.out !== undefined) await writeFile(values.out, encode(checks));
  };
  const { bench } = await load();
  const checks = await bench({ ...options, record, say: (line) => process.stdout.write(`${line}\n`) });
  await record(checks);
  process.stdout.write(encode(checks));
}

function isCount(value: number): boolean {
  return Number.isInteger(value) && value > 0;
}

await main();
