import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, readFile, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { openStore } from "@whittle/store";
import { atMost, told, type Check } from "../../bench.ts";
import { median } from "../../statistics.ts";
import { startWhittle, type Place } from "./programs.ts";
import { trainings, trainingNames, type Training } from "./supervision.ts";

/** What a training under supervision has used between the ends of its first and its last epoch, CPU seconds. */
export interface CpuUse {
  training: Training;
  /** By the clock. */
  seconds: number;
  /** Of the process that trains, what it spends on being supervised included. */
  job: number;
  /** Of API, worker and Redis. */
  around: number;
  /** Of the job's process, for what it tells its worker. */
  messages: number;
  /** Of the job's process, for the copies of its checkpoints that go to the store. */
  copies: number;
}

/** How often a job's process says that it is alive. */
const beatMs = 5000;
/** Linux counts CPU time in hundredths of a second. */
const ticksPerSecond = 100;

/**
 * Trains as a job, with nothing else of ours beside it, and takes the processor time of API, worker and Redis from the system. What the
 * job's own process spends can't be told from the training there: its messages and copied checkpoints are counted, and what one of them takes is
 * measured here.
 */
export async function measureCpuShare(place: Place, redisPid: number, training: Training): Promise<CpuUse> {
  const { client, pids, close } = await startWhittle(place, {});
  try {
    const { id } = await client.submit("train", trainings[training], { fresh: true });
    const scratch = (await openStore(path.join(place.folder, "store"))).scratch(id);
    let [events, pid, checkpointBytes] = [0, 0, 0];
    const marks: Mark[] = [];
    for await (const event of client.events(id)) {
      if (event.type !== "state") events += 1;
      if (event.type !== "metrics" || event.series !== "epoch") continue;
      pid ||= (await client.workers()).flatMap(({ jobs }) => jobs).find((job) => job.id === id)?.pid ?? 0;
      const newest = (await scratch.list()).toSorted((a, b) => numberOf(a) - numberOf(b)).at(-1);
      if (newest !== undefined)
        checkpointBytes = (await stat(path.join(place.folder, "store", "scratch", id, newest))).size;
      const [job, around] = [cpuSeconds([pid]), cpuSeconds([...pids, redisPid])];
      marks.push({ at: performance.now(), job, around, events, copies: newest === undefined ? 0 : numberOf(newest) });
    }
    const [first, last] = [marks[0], marks.at(-1)];
    if (!first || !last) throw new Error(`job ${id} has told no epoch`);
    const messages = last.events - first.events + (last.copies - first.copies) + (last.at - first.at) / beatMs;
    return {
      training,
      seconds: (last.at - first.at) / 1000,
      job: last.job - first.job,
      around: last.around - first.around,
      messages: messages * (await messageSeconds()),
      copies: (last.copies - first.copies) * (await copySeconds(place, checkpointBytes)),
    };
  } finally {
    await close();
  }
}

interface Mark {
  at: number;
  job: number;
  around: number;
  /** Messages of the job and checkpoints in the store so far. */
  events: number;
  copies: number;
}

/**
 * Processor time that supervision takes in a second of training by the clock, in cores: what it can slow a training by that keeps one core
 * busy. Beside it the same in a processor second of the training, which other work on the machine can only make larger.
 */
export function cpuShareChecks(uses: CpuUse[]): Check[] {
  return trainingNames.flatMap((name) => {
    const own = uses.filter(({ training }) => training === name);
    if (own.length === 0) return [];
    const middle = (of: (use: CpuUse) => number): number => median(own.map(of));
    const all = ({ around, messages, copies }: CpuUse): number => around + messages + copies;
    const prefix = `queue/supervision/${name}/cpu-share`;
    return [
      atMost(
        prefix,
        middle((use) => all(use) / use.seconds),
        0.01,
      ),
      told(
        `${prefix}-of-api-worker-redis`,
        middle(({ around, seconds }) => around / seconds),
      ),
      told(
        `${prefix}-of-messages`,
        middle(({ messages, seconds }) => messages / seconds),
      ),
      told(
        `${prefix}-of-checkpoint-copies`,
        middle(({ copies, seconds }) => copies / seconds),
      ),
      told(
        `${prefix}-by-cpu-second`,
        middle((use) => all(use) / (use.job - use.messages - use.copies)),
      ),
    ];
  });
}

/** `1-7-checkpoint-7` is the seventh that the job's first run has copied to the store. */
function numberOf(name: string): number {
  return Number(name.split("-")[1]);
}

/** User and system time of processes, fields 14 and 15; the second field, a name, may hold spaces and brackets. */
function cpuSeconds(pids: number[]): number {
  return pids.reduce((sum, pid) => {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return sum + (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
  }, 0);
}

/** What it takes to tell another process one event, until the system has it. */
async function messageSeconds(): Promise<number> {
  const listener = spawn(process.execPath, ["-e", "process.on('message', () => {})"], {
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
  const values = { loss: 0.312_345_678, accuracy: 0.912_345_678, valLoss: 0.33, valAccuracy: 0.9, learningRate: 0.001 };
  const event = { type: "metrics", series: "epoch", step: 3, values };
  const send = (): Promise<void> => new Promise((sent) => listener.send({ type: "event", event }, () => sent()));
  const seconds = await cpuSecondsOf(2000, send);
  listener.disconnect();
  await once(listener, "exit");
  return seconds;
}

/** What it takes to read a checkpoint of so many bytes and to write it to a store on the same disk. */
async function copySeconds({ folder }: Place, size: number): Promise<number> {
  const place = await mkdtemp(path.join(folder, "copies-"));
  const scratch = (await openStore(place)).scratch("copies");
  const source = path.join(place, "checkpoint");
  await writeFile(source, new Uint8Array(size));
  let written = 0;
  return cpuSecondsOf(20, async () => scratch.write(`${++written}`, await readFile(source)));
}

/** Processor time of this process for one call, all its threads, over `calls` of them after a tenth as many. */
async function cpuSecondsOf(calls: number, work: () => Promise<void>): Promise<number> {
  for (let call = 0; call < calls / 10; call++) await work();
  const before = process.cpuUsage();
  for (let call = 0; call < calls; call++) await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6 / calls;
}
