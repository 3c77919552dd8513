import { writeFile } from "node:fs/promises";
import { AppError, parseCommandLine } from "@whittle/contracts";
import { z } from "zod";
import type { Bench, BenchOptions, Check } from "./bench.ts";
import { machine } from "./machine.ts";

const benches: Record<string, () => Promise<{ bench: Bench; caseNames: string[] }>> = {
  compress: () => import("./benches/compress/index.ts"),
  precision: () => import("./benches/precision/index.ts"),
  queue: () => import("./benches/queue/index.ts"),
  serve: () => import("./benches/serve/index.ts"),
  train: () => import("./benches/train/index.ts"),
};

const usage = `usage: npm run bench -- NAME [--rounds N] [--only CASE] [--quick] [--epochs N] [--out FILE]
NAME is one of: ${Object.keys(benches).join(", ")}
--rounds   interleaved repetitions of every case (5)
--only     only cases whose name contains this text
--quick    (compress) fewer samples and epochs: to see that it works
--epochs   (compress) epochs of every training, in place of each case's own
--out      also write the result to this file
`;

const count = z.coerce.number().int().min(1);
const commandLine = z.object({
  rounds: count.default(5),
  only: z.string().optional(),
  quick: z.boolean().default(false),
  epochs: count.optional(),
  out: z.string().optional(),
  help: z.literal(true).optional(),
});

interface Asked {
  name: string;
  bench: Bench;
  options: Omit<BenchOptions, "record" | "say">;
  out: string | undefined;
}

/** @returns undefined where only help was wanted. @throws AppError `invalid_request` that names the option and what would be right. */
async function read(args: string[]): Promise<Asked | undefined> {
  const { options, arguments: names } = parseCommandLine(commandLine, args, { flags: ["quick", "help"], arguments: 1 });
  const { out, help, ...asked } = options;
  if (help) return undefined;
  const [name = ""] = names;
  const load = Object.hasOwn(benches, name) ? benches[name] : undefined;
  if (load === undefined) {
    const what = name === "" ? "NAME is missing" : `there is no benchmark ${name}`;
    throw new AppError("invalid_request", `${what}; there are ${Object.keys(benches).join(", ")}`);
  }
  const { bench, caseNames } = await load();
  const { only = "" } = asked;
  if (!caseNames.some((each) => each.includes(only)))
    throw new AppError(
      "invalid_request",
      `--only ${only}: no case has this in its name; there are ${caseNames.join(", ")}`,
    );
  return { name, bench, options: asked, out };
}

/** Runs a benchmark; prints its result as one line of JSON, the last of its output, and writes it to the file asked for. */
async function run({ name, bench, options, out }: Asked): Promise<void> {
  const found = { bench: name, machine: machine(), options };
  const encode = (checks: Check[]): string => `${JSON.stringify({ ...found, checks })}\n`;
  const record = async (checks: Check[]): Promise<void> => {
    if (out !== undefined) await writeFile(out, encode(checks));
  };
  const checks = await bench({ ...options, record, say: (line) => process.stdout.write(`${line}\n`) });
  await record(checks);
  process.stdout.write(encode(checks));
}

async function main(): Promise<void> {
  let asked: Asked | undefined;
  try {
    asked = await read(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    process.stderr.write(`error: ${error.message} (--help says what there is)\n`);
    process.exitCode = 2;
    return;
  }
  if (asked === undefined) process.stdout.write(usage);
  else await run(asked);
}

await main();
