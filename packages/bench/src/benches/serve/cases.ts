import { setTimeout as sleep } from "node:timers/promises";
import type { Load } from "./load.ts";
import { modelNames, type ModelName } from "./models.ts";
import { unkept, type Program, type ServeProgram } from "./programs.ts";
import { bare, tensorflow, v2Binary, v2Json, type Way } from "./requests.ts";
import { neighbour, type Stage } from "./stage.ts";

/** One load of a case. */
export interface Side {
  name: string;
  program: Program;
  load: Omit<Load, "url">;
  /** What goes on meanwhile, until the signal. @returns how many versions of models the serving app has loaded through it. */
  meanwhile?: (signal: AbortSignal) => Promise<number>;
}

/** Loads that a round runs in turn, so that they can be compared. */
export interface ServeCase {
  /** As in the checks' names: `single/mlp/c16`. */
  name: string;
  /** The side that the others are held against, and by which figures. */
  against: { side: string; figures: string[] };
  /** Starts what it needs. */
  sides: (stage: Stage) => Promise<Side[]>;
}

interface Shape {
  samples: number;
  connections: number;
}

const ways = [v2Json, v2Binary, tensorflow];
const manyConnections = 64;
const switchMs = 200;

/** One sample or 32 in a request, by every way to ask and of a bare server. */
const shapes = [
  ...[1, 16, manyConnections].map((connections) => ({ name: "single", samples: 1, connections })),
  { name: "batch-32", samples: 32, connections: 4 },
];

const plain: ServeCase[] = modelNames.flatMap((model) =>
  shapes.map(({ name, ...shape }) => ({
    name: `${name}/${model}/c${shape.connections}`,
    against: { side: "bare", figures: ["per-second", "cpu-ms"] },
    sides: async (stage) => {
      const program = await stage.serve();
      const own = ways.map((way) => ({ name: way.name, program, load: loadOf(way, model, shape) }));
      return [...own, { name: "bare", program: await stage.bare(), load: loadOf(bare, model, shape) }];
    },
  })),
);

/** With dynamic batching as it is by default, and without. */
const batching: ServeCase[] = modelNames.map((model) => ({
  name: `batching/${model}/c${manyConnections}`,
  against: { side: "off", figures: ["per-second", "cpu-ms"] },
  sides: async (stage) => {
    const load = loadOf(v2Binary, model, { samples: 1, connections: manyConnections });
    return [
      { name: "on", program: await stage.serve(), load },
      { name: "off", program: await stage.serve({ WHITTLE_SERVE_MAX_BATCH: "1" }), load },
    ];
  },
}));

/** What a model's callers notice of another that gets a new version, or is loaded and unloaded. */
const neighbours: ServeCase = {
  name: "neighbours/mlp/c4",
  against: { side: "undisturbed", figures: ["p99-ms"] },
  sides: async (stage) => {
    const served = [...modelNames, `${neighbour.name}@${neighbour.alias}`].join(",");
    const program = await stage.serve({ WHITTLE_SERVE_MODELS: served, WHITTLE_SERVE_POLL_MS: "50" });
    const load = { ...loadOf(v2Binary, "mlp", { samples: 1, connections: 4 }), ms: 3000 };
    return [
      { name: "undisturbed", program, load },
      { name: "new-versions", program, load, meanwhile: (signal) => moveAlias(stage, program, signal) },
      { name: "loading", program, load, meanwhile: (signal) => loadAndUnload(program, signal) },
    ];
  },
};

/** More requests at a time than may wait; each has eight samples, so that the model is what is too slow. */
const overload: ServeCase = {
  name: "overload/cnn",
  against: { side: "c32", figures: ["p99-ms"] },
  sides: async (stage) => {
    const program = await stage.serve({ WHITTLE_SERVE_MAX_QUEUE: "64" });
    return [32, 256].map((connections) => ({
      name: `c${connections}`,
      program,
      load: loadOf(v2Binary, "cnn", { samples: 8, connections }),
    }));
  },
};

export const cases: ServeCase[] = [...plain, ...batching, neighbours, overload];

function loadOf(way: Way, model: ModelName, { samples, connections }: Shape): Side["load"] {
  return { ...way.request(model, samples), connections, warmUpMs: 300, ms: 1000 };
}

async function moveAlias({ store }: Stage, { loads }: ServeProgram, signal: AbortSignal): Promise<number> {
  const { name, alias, versions } = neighbour;
  const before = loads();
  for (let turn = 0; !signal.aborted; turn++) {
    await store.setAlias(name, alias, versions[turn % versions.length] ?? 1, { actor: "bench" });
    await sleep(switchMs);
  }
  return loads() - before;
}

async function loadAndUnload({ url, loads }: ServeProgram, signal: AbortSignal): Promise<number> {
  const before = loads();
  const ask = async (action: string): Promise<void> => {
    const path = `/v2/repository/models/${neighbour.visitor}/${action}`;
    const { status } = await fetch(url + path, { method: "POST", ...unkept });
    if (status !== 200) throw new Error(`to ${action} a model was answered with ${status}`);
    await sleep(switchMs / 2);
  };
  while (!signal.aborted) {
    await ask("load");
    await ask("unload");
  }
  return loads() - before;
}
