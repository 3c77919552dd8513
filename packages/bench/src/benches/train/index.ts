import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { initEngine } from "@whittle/engine";
import { z } from "zod";
import { atLeast, told, type Bench, type Check } from "../../bench.ts";
import { geometricMean, median } from "../../statistics.ts";
import { cases, type TrainCase } from "./cases.ts";
import { ceiling, measurePeak, type Peak } from "./ceiling.ts";
import { loadSamples, type Samples } from "./samples.ts";
import { countTrainable } from "./tfjs.ts";
import { startTorch, type Torch, type TorchResult } from "./torch.ts";

/** As it was before TensorFlow was loaded here, which writes its threads into it. */
const env = { ...process.env };

export const caseNames = cases.map(({ name }) => name);

/** Samples per second of one round, by side. */
type Round = Record<string, number>;

/** What Whittle is held against, with the least ratio of a case and of the geometric mean over all cases. */
const rivals = [
  { side: "whittle-xla", least: null, mean: null },
  { side: "stock", least: null, mean: 5 },
  { side: "torch", least: null, mean: null },
  { side: "torch-fused", least: 0.9, mean: 1.2 },
];

/**
 * Trains the same models on the same samples with Whittle (the small MLP also by XLA), stock tfjs and, where `WHITTLE_BENCH_PYTHON` (or
 * python3) has torch, PyTorch; in turns within each round. A ratio is taken within its round, then the median over the rounds.
 */
export const bench: Bench = async ({ rounds, only = "", say }) => {
  const { backend, version, threads } = await initEngine({ warn: say });
  if (backend !== "tensorflow")
    throw new Error(`train compares native TensorFlow, and found ${backend}: npm run setup`);
  const chosen = cases.filter(({ name }) => name.includes(only));
  const data = await loadSamples(chosen);
  const torch = await startTorch(process.env["WHITTLE_BENCH_PYTHON"] ?? "python3", data);
  say(
    `TensorFlow ${version}, ${threads} threads; ${torch ? `PyTorch ${torch.version}` : "no PyTorch: python3 has no torch"}`,
  );
  const results = new Map<string, Round[]>();
  const peak = measurePeak(threads);
  try {
    for (let round = 0; round < rounds; round++) {
      for (const trainCase of chosen) {
        const samples = data.get(trainCase.data);
        if (!samples) continue;
        const rates = await measure(trainCase, samples, torch);
        results.set(trainCase.name, [...(results.get(trainCase.name) ?? []), rates]);
        say(`round ${round + 1}/${rounds} ${trainCase.name.padEnd(16)} ${describe(rates)}`);
      }
    }
  } finally {
    await torch?.close();
  }
  return [...summarize(results), ...sharesOfCeiling(results, chosen, data, peak)];
};

async function measure(trainCase: TrainCase, data: Samples, torch: Torch | undefined): Promise<Round> {
  const rates: Round = await trainOnTensorFlow(trainCase);
  if (torch) {
    const trainable = countTrainable(trainCase, data);
    const rateOf = ({ samplesPerSecond, parameters }: TorchResult): number => {
      assert.equal(parameters, trainable, `${trainCase.name}: PyTorch's model must train as many weights as ours`);
      return samplesPerSecond;
    };
    rates["torch"] = rateOf(await torch.train(trainCase, false));
    rates["torch-fused"] = rateOf(await torch.train(trainCase, true));
  }
  return rates;
}

/** In a process of its own, as a job: TensorFlow takes its threads once, and they depend on the model. */
async function trainOnTensorFlow({ name }: TrainCase): Promise<Round> {
  const program = fileURLToPath(new URL("side.ts", import.meta.url));
  const child = fork(program, [name], { env, execArgv: ["--import", "tsx"] });
  const [message] = await Promise.race([once(child, "message"), once(child, "exit")]);
  return z.record(z.string(), z.number()).parse(message);
}

function describe(rates: Round): string {
  return Object.entries(rates)
    .map(([side, rate]) => `${side} ${Math.round(rate).toLocaleString("en")}/s`)
    .join("  ");
}

function summarize(results: Map<string, Round[]>): Check[] {
  const checks = [...results].flatMap(([name, rounds]) => paces(name, rounds));
  for (const { side, least, mean } of rivals) {
    const ratios = [...results].flatMap(([name, rounds]) => {
      const values = rounds.flatMap((rates) => ratioTo(rates, side));
      return values.length === 0 ? [] : [{ name, ratio: median(values) }];
    });
    if (ratios.length === 0) continue;
    for (const { name, ratio } of ratios) checks.push(check(`train/${name}/vs-${side}`, ratio, least));
    checks.push(check(`geomean/vs-${side}`, geometricMean(ratios.map(({ ratio }) => ratio)), mean));
  }
  return checks;
}

/** Samples per second of each side: the median of the rounds and the best of them. */
function paces(name: string, rounds: Round[]): Check[] {
  return Object.keys(rounds[0] ?? {}).flatMap((side) => {
    const rates = rounds.flatMap((round) => round[side] ?? []);
    const path = `train/${name}/${side}/samples-per-second`;
    return [told(`${path}/median`, median(rates)), told(`${path}/best`, Math.max(...rates))];
  });
}

/** How near Whittle's best round of each case comes to what the machine could do at most. */
function sharesOfCeiling(
  results: Map<string, Round[]>,
  chosen: TrainCase[],
  data: Map<string, Samples>,
  peak: Peak,
): Check[] {
  const shares = chosen.flatMap((trainCase) => {
    const { name } = trainCase;
    const samples = data.get(trainCase.data);
    const best = Math.max(...(results.get(name) ?? []).map(({ whittle = Number.NaN }) => whittle));
    return samples ? [told(`train/${name}/share-of-ceiling`, best / ceiling(trainCase, samples, peak))] : [];
  });
  return [told("peak/gflops", peak.flops / 1e9), told("peak/gigabytes-per-second", peak.bandwidth / 1e9), ...shares];
}

function ratioTo({ whittle = Number.NaN, ...rates }: Round, side: string): number[] {
  const rate = rates[side];
  return rate === undefined ? [] : [whittle / rate];
}

function check(name: string, value: number, target: number | null): Check {
  return target === null ? told(name, value) : atLeast(name, value, target);
}
