import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AppError, parseCommandLine } from "@whittle/contracts";
import { z } from "zod";
import { root } from "./build.ts";
import { runChaos } from "./chaos.ts";
import { faults } from "./faults/index.ts";
import { showReport } from "./report.ts";

const commandLine = z.object({
  faults: z.coerce.number().int().min(1).default(100),
  /** Only faults whose kind contains this text. */
  only: z.string().default(""),
  seed: z.coerce.number().int().min(0).default(1),
  workers: z.coerce.number().int().min(1).max(16).default(3),
  /** As many workers, each on a host of its own; the API has one too. */
  hosts: z.coerce.number().int().min(1).max(16).optional(),
  /** A folder, S3's test server, or a place on a running one. */
  store: z
    .string()
    .regex(/^(fs|s3|s3:\/\/.+)$/, "must be fs, s3 or s3://bucket/prefix?endpoint=http://host:port")
    .default("fs"),
  /** Workers' WHITTLE_LEASE_SECONDS: the shorter, the more faults in the same time. */
  lease: z.coerce.number().min(1).default(2),
  /** After so long there are no more faults, however many there were. */
  minutes: z.coerce.number().min(0).max(1440).default(60),
  help: z.literal(true).optional(),
});
type Options = z.output<typeof commandLine>;

const usage = `usage: npm run chaos -- [--faults N] [--seed S] [--only TEXT] [--workers K | --hosts K] [--store fs|s3|s3://…] [--lease SECONDS] [--minutes M]
--faults   how many (100)
--seed     decides which come in which order (1)
--only     only those whose kind contains this text
--workers  how many (3)
--hosts    as many workers, each on a host of its own
--store    fs (a folder), s3 (a test server) or s3://BUCKET/PREFIX (on a server that runs)
--lease    seconds that a worker holds a job without renewing its claim (2)
--minutes  after so long there are no more faults (60)
The exit code is 1 when a promise was broken.
`;

/** @throws AppError `invalid_request` that names the option and what would be right. */
function read(args: string[]): Options {
  const { options } = parseCommandLine(commandLine, args, { flags: ["help"] });
  const kinds = faults.map(({ kind }) => kind);
  if (kinds.some((kind) => kind.includes(options.only))) return options;
  throw new AppError(
    "invalid_request",
    `--only ${options.only}: no fault has this in its kind; there are ${kinds.join(", ")}`,
  );
}

/** Ends with exit code 1 when a promise was broken. */
async function run({ lease, minutes, hosts, help: _help, ...given }: Options): Promise<void> {
  const folder = join(root, ".whittle", "chaos");
  const enough = new AbortController();
  process.once("SIGINT", () => enough.abort());
  setTimeout(() => enough.abort(), minutes * 60_000).unref();
  const report = await runChaos({
    ...given,
    workers: hosts ?? given.workers,
    hosts: hosts !== undefined,
    leaseSeconds: lease,
    graceSeconds: 1,
    idleJobs: 20,
    env: process.env,
    history: join(folder, "history.jsonl"),
    enough: enough.signal,
    say: (line) => process.stdout.write(`${line}\n`),
  });
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "report.json"), `${JSON.stringify(report, undefined, 2)}\n`);
  process.stdout.write(`${showReport(report).join("\n")}\n`);
  process.exitCode = report.violations.length === 0 ? 0 : 1;
}

function main(): Promise<void> {
  let options: Options;
  try {
    options = read(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    process.stderr.write(`error: ${error.message} (--help says what there is)\n`);
    process.exitCode = 2;
    return Promise.resolve();
  }
  if (!options.help) return run(options);
  process.stdout.write(usage);
  return Promise.resolve();
}

await main();
