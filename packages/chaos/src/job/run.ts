import { appendFileSync, readFileSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ArtifactDraft } from "@whittle/contracts";
import { z } from "zod";
import type { WitnessLine } from "../history.ts";
import { chainStart, chainStep } from "./chain.ts";
import type { ChaosParams } from "./contract.ts";
import { clockSkewMs } from "./skew.ts";

/** The part of a job's context that is used here. */
interface Context {
  signal: AbortSignal;
  /** Named `<job id>.<epoch>`. */
  workDir: string;
  keep(path: string): Promise<void>;
  progress(fraction: number, stage: string): void;
}

const checkpoint = z.object({ step: z.int().nonnegative(), chain: z.string() });
type Checkpoint = z.infer<typeof checkpoint>;

const fileName = "checkpoint";

export async function run(params: ChaosParams, context: Context) {
  const { submission, steps, stepMs, interval, bytes } = params;
  const { epoch, tell } = openWitness(params.witness, context.workDir);
  const path = join(context.workDir, fileName);
  let state = await readCheckpoint(path, submission);
  tell({ what: "begun", step: state.step, ...pids(), skewMs: clockSkewMs });
  while (state.step < steps) {
    await sleep(stepMs, undefined, { signal: context.signal });
    const step = state.step + 1;
    state = { step, chain: chainStep(state.chain, step) };
    tell({ what: "step", step });
    context.progress(step / steps, `epoch ${epoch} step ${step}`);
    if (step % interval !== 0) continue;
    await writeFile(path, JSON.stringify({ ...state, filling: "x".repeat(bytes) }));
    await context.keep(path);
  }
  tell({ what: "done" });
  return { artifact: draftOf(params, state.chain), metrics: { chain: state.chain } };
}

/** What the job does is written down by itself, outside of everything that is tried out. */
function openWitness(folder: string, workDir: string) {
  const [job = "", number = ""] = basename(workDir).split(".");
  const epoch = Number(number);
  const file = join(folder, `${job}.${epoch}.jsonl`);
  const tell = (line: WitnessLine): void =>
    appendFileSync(file, `${JSON.stringify({ at: Date.now() - clockSkewMs, job, epoch, ...line })}\n`);
  return { epoch, tell };
}

/** As the machine knows them, whose `/proc` is elsewhere on a host with processes of its own. */
function pids(): { pid: number; parent: number } {
  const status = readFileSync(join(process.env["CHAOS_PROC"] ?? "/proc", "self/status"), "utf8");
  const number = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1]);
  return { pid: number("Pid"), parent: number("PPid") };
}

async function readCheckpoint(path: string, submission: number): Promise<Checkpoint> {
  const text = await readFile(path, "utf8").catch(() => undefined);
  return text === undefined ? { step: 0, chain: chainStart(submission) } : checkpoint.parse(JSON.parse(text));
}

function draftOf({ submission, bytes }: ChaosParams, chain: string): ArtifactDraft {
  const file = (path: string, role: "tfjs" | "weights", text: string) => {
    const mediaType = role === "tfjs" ? "application/json" : "application/octet-stream";
    return { path, role, mediaType, bytes: new TextEncoder().encode(text) };
  };
  return {
    config: {
      family: "chaos",
      familyParams: {},
      signature: {
        inputs: [{ name: "x", datatype: "FP32", shape: [-1] }],
        outputs: [{ name: "y", datatype: "FP32", shape: [-1] }],
      },
      preprocessing: { scale: 1, offset: 0 },
    },
    metrics: {},
    job: { kind: "chaos", params: { submission } },
    parents: [],
    versions: {},
    files: [
      file("model.json", "tfjs", JSON.stringify({ chain })),
      file("weights.bin", "weights", chain.repeat(Math.ceil(bytes / chain.length))),
    ],
    measurements: {},
  };
}
