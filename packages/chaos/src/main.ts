import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { parse } from "@whittle/contracts";
import { z } from "zod";
import { root } from "./build.ts";
import { runChaos } from "./chaos.ts";
import { showReport } from "./report.ts";

const options = z.object({
  faults: z.coerce.number().int().min(1).default(100),
  /** Only faults whose kind contains this text. */
  only: z.string().default(""),
  seed: z.coerce.number().int().min(0).default(1),
  workers: z.coerce.number().int().min(1).max(16).default(3),
  /** As many workers, each on a host of its own; the API has one too. */
  hosts: z.coerce.number().int().min(1).max(16).optional(),
  store: z.enum(["fs", "s3"]).default("fs"),
  /** Workers' WHITTLE_LEASE_SECONDS: the shorter, the more faults in the same time. */
  lease: z.coerce.number().min(1).default(2),
  /** After so long there are no more faults, however many there were. */
  minutes: z.coerce.number().min(0).max(1440).default(60),
});

/** `npm run chaos -- --faults N --seed S [--only TEXT] [--workers K | --hosts K] [--store fs|s3] [--lease SECONDS] [--minutes M]`. Ends with exit code 1 when a promise was broken. */
async function main(): Promise<void> {
  const names = ["faults", "only", "seed", "workers", "hosts", "store", "lease", "minutes"];
  const { values } = parseArgs({
    options: Object.fromEntries(names.map((name) => [name, { type: "string" as const }])),
  });
  const { lease, minutes, hosts, ...given } = parse(options, values, "The options");
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

await main();
