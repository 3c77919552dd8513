import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Entry, EntryOf } from "./history.ts";

type Witnessed = EntryOf<"begun" | "step" | "done">;

/** What one run of a job has written down so far; a last line that a kill has cut off is left out. */
export async function readRun(folder: string, job: string, epoch: number): Promise<Witnessed[]> {
  return parseLines(await readFile(join(folder, `${job}.${epoch}.jsonl`), "utf8").catch(() => ""));
}

/** What all runs have written down, in the order of time. */
export async function readWitness(folder: string): Promise<Witnessed[]> {
  const texts = await Promise.all((await readdir(folder)).map((file) => readFile(join(folder, file), "utf8")));
  return texts.flatMap(parseLines).toSorted((a, b) => a.at - b.at);
}

function parseLines(text: string): Witnessed[] {
  const whole = text.split("\n").slice(0, -1);
  return whole.map((line): Entry => JSON.parse(line)).filter(isWitnessed);
}

function isWitnessed(entry: Entry): entry is Witnessed {
  return entry.what === "begun" || entry.what === "step" || entry.what === "done";
}
