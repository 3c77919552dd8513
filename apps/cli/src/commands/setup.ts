import { AppError } from "@whittle/contracts";
import type { Command } from "commander";
import { doctor } from "../setup/doctor.ts";
import { setUp } from "../setup/setup.ts";
import { readSettings } from "../setup/settings.ts";

/** `setup` and `doctor`: what this machine needs to run Whittle. */
export function addSetup(program: Command): void {
  program
    .command("setup")
    .description("fetch or build what is missing: native TensorFlow, Redis, data sets")
    .option("--dataset <name...>", "data sets to fetch beside the demo's", [])
    .action(setup);
  program
    .command("doctor")
    .description("tell what this machine has, and what to do about what is missing")
    .action(async () => refuseMissing(await doctor()));
}

async function setup({ dataset }: { dataset: string[] }): Promise<void> {
  refuseMissing(await setUp(readSettings(), { datasets: dataset }));
}

function refuseMissing(complete: boolean): void {
  if (!complete) throw new AppError("unavailable", "something that Whittle needs is missing: see above");
}
