import { AppError, formatBytes, toAppError } from "@whittle/contracts";
import { isFinal } from "@whittle/sdk";
import { openStore, type ArtifactStore } from "@whittle/store";
import type { Command } from "commander";
import { z } from "zod";
import { readConfig } from "../env.ts";
import { table } from "../terminal/table.ts";
import { createClient } from "./client.ts";
import { numberOf } from "./options.ts";

const hours = numberOf(z.number().min(0));

/** `store`: looks after the artifact store, where it lies (WHITTLE_STORE). */
export function addStore(program: Command): void {
  const store = program
    .command("store")
    .description("check the artifact store, see what it holds, remove what nobody needs");
  store.command("usage").description("count artifacts and bytes, raw and as stored").action(usage);
  store.command("verify").description("read every byte and name what is damaged").action(verify);
  store
    .command("gc")
    .description("tell what nothing leads to any more, or remove it")
    .option("--delete", "remove it")
    .option("--grace <hours>", "leave content alone that is younger, or whose version was deleted since", hours, 24)
    .option("--scratch <hours>", "leave a job's checkpoints alone when it wrote one since", hours, 7 * 24)
    .action(collect);
}

function open(): Promise<ArtifactStore> {
  return openStore(readConfig().store, { cache: false });
}

async function usage(): Promise<void> {
  const { artifacts, datasets, used, unused, steps, scratch } = await (await open()).usage();
  const rows = [
    ["", "COUNT", "RAW", "STORED"],
    [
      `${artifacts} artifacts, ${datasets} data sets`,
      String(used.blobs),
      formatBytes(used.raw),
      formatBytes(used.stored),
    ],
    ["unused", String(unused.blobs), "", formatBytes(unused.stored)],
    ["steps", String(steps.records), "", formatBytes(steps.stored)],
    ["scratch", "", "", formatBytes(scratch.stored)],
  ];
  console.log(table(rows, [1, 2, 3]));
}

async function verify(): Promise<void> {
  const { blobs, versions, aliases, datasets, steps, issues } = await (await open()).audit();
  console.log(
    `read ${blobs} blobs, ${versions} versions, ${aliases} aliases, ${datasets} data sets, ${steps} remembered steps`,
  );
  if (issues.length === 0) return console.log("all sound");
  for (const { path, message } of issues) console.log(`${path}: ${message}`);
  throw new AppError(
    "corrupt",
    `${issues.length} damaged: see above; the same job, or the same data set, submitted again makes its content anew`,
  );
}

async function collect(flags: { delete?: boolean; grace: number; scratch: number }): Promise<void> {
  const hour = 3_600_000;
  const ages = { graceMs: flags.grace * hour, scratchMs: flags.scratch * hour };
  const asking = askAfterJobs();
  const found = await (await open()).collect({ delete: flags.delete, ...ages, hasEnded: asking.hasEnded });
  const { blobs, steps, scratch, leftovers } = found;
  const rows = [
    ["", "COUNT", "STORED"],
    ["blobs", String(blobs.count), formatBytes(blobs.bytes)],
    ["steps", String(steps.count), formatBytes(steps.bytes)],
    ["scratch", String(scratch.count), formatBytes(scratch.bytes)],
    ["leftovers", String(leftovers.count), formatBytes(leftovers.bytes)],
  ];
  console.log(table(rows, [1, 2]));
  console.log(flags.delete ? "removed" : "nothing was removed: repeat with --delete");
  const { problem } = asking;
  if (problem)
    console.error(`uploads that jobs took were all left, because it can't be asked which have ended: ${problem}`);
}

/** Asks the API whether jobs have ended. While it can't be asked, none has. */
function askAfterJobs(): { hasEnded: (jobId: string) => Promise<boolean>; problem?: string } {
  const client = createClient();
  const asking: ReturnType<typeof askAfterJobs> = {
    hasEnded: async (jobId) => {
      if (asking.problem !== undefined) return false;
      try {
        return isFinal((await client.job(jobId)).state);
      } catch (error) {
        const { code, message } = toAppError(error);
        // Ended jobs are forgotten after a while.
        if (code === "not_found") return true;
        asking.problem = message;
        return false;
      }
    },
  };
  return asking;
}
