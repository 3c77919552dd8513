import { AppError, toAppError, type Manifest, type NewJobEvent } from "@whittle/contracts";
import { initEngine, loadModel, modelWeights, tf, type ModelWeights } from "@whittle/engine";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { openBench, tinyTraining, type JobBench } from "../../testing.ts";
import { definition } from "../contract.ts";

const reportFile = z.strictObject({
  layers: z.array(z.strictObject({ kernel: z.string(), weights: z.number(), zeros: z.number() })),
  sensitivity: z
    .array(
      z.strictObject({
        layers: z.array(z.string()),
        points: z.array(z.strictObject({ removed: z.number(), accuracy: z.number() })),
      }),
    )
    .optional(),
});

const fineTune = { epochs: 4, batchSize: 16, optimizer: { type: "sgd", learningRate: 0.05 } };

// The base is 64-16-4: 1024 + 64 weights.
describe("pruning of single weights", () => {
  let bench: JobBench;
  beforeAll(async () => {
    await initEngine();
    bench = await openBench();
  });
  afterAll(() => bench.close());

  interface Result {
    manifest: Manifest;
    weights: ModelWeights;
    zeros: number[];
    report: z.infer<typeof reportFile>;
    log: string[];
  }

  async function prune(given: object): Promise<Result> {
    const { store } = bench;
    const log: string[] = [];
    const emit = (event: NewJobEvent) => event.type === "log" && log.push(event.message);
    const { artifact } = await bench.run("prune", { model: "tiny-base", ...given }, { emit });
    const manifest = await store.manifest(artifact?.digest ?? "");
    const weights = await weightsOf(manifest);
    const report = reportFile.parse(JSON.parse(new TextDecoder().decode(await store.readFile(manifest, "report"))));
    const zeros = report.layers.map(
      ({ kernel }) => weights[kernel]?.data.filter((weight) => weight === 0).length ?? -1,
    );
    expect(zeros).toEqual(report.layers.map((layer) => layer.zeros));
    return { manifest, weights, zeros, report, log };
  }

  async function weightsOf(manifest: Manifest): Promise<ModelWeights> {
    const { store } = bench;
    const [topology, weights] = [await store.readFile(manifest, "tfjs"), await store.readFile(manifest, "weights")];
    const model = await loadModel({ topology, weights });
    const read = modelWeights(model);
    model.dispose();
    return read;
  }

  it("takes the share by each score, and other weights by each", async () => {
    const masks = new Set<string>();
    for (const method of ["l1", "random", "snip", "wanda"]) {
      const { weights, zeros } = await prune({ method, amount: 0.5, scope: "local" });
      expect(zeros).toEqual([512, 32]);
      masks.add(String(weights["hidden1/kernel"]?.data.map((weight) => Number(weight === 0))));
    }
    expect(masks.size).toBe(4);
  });

  it("keeps two of every four inputs of each output by 2:4, also through fine-tuning", async () => {
    const { weights, manifest, zeros } = await prune({ pattern: "2:4", fineTune: { ...fineTune, epochs: 1 } });
    expect(zeros).toEqual([512, 32]);
    expect(manifest.metrics.sparsity).toBe(0.5);
    const { data } = weights["hidden1/kernel"]!;
    for (let input = 0; input < 64; input += 4)
      for (let output = 0; output < 16; output++) {
        const group = [0, 1, 2, 3].map((at) => data[(input + at) * 16 + output]);
        expect(group.filter((weight) => weight === 0)).toHaveLength(2);
      }
  });

  it("leaves no tensor behind", async () => {
    const before = tf.memory().numTensors;
    await prune({ method: "wanda", amount: 0.5, rewind: "initial", sensitivity: true });
    await prune({ amount: 0.5, gradual: { everySteps: 1 }, fineTune: { ...fineTune, epochs: 1 } });
    expect(tf.memory().numTensors).toBe(before);
  });

  it("says which inputs make no whole group", async () => {
    const { log } = await prune({ pattern: "1:3" });
    expect(log).toContain("hidden1/kernel: 1 of its inputs make no whole group and keep their weights");
  });

  it("takes the whole share when pruning gradually, and comes to the same end when it was stopped", async () => {
    const gradual = { method: "l1", amount: 0.8, gradual: { everySteps: 2, share: 0.9 }, fineTune };
    const { zeros, manifest } = await prune(gradual);
    expect(zeros[0]! + zeros[1]!).toBe(Math.round(1088 * 0.8));
    const once = await prune({ method: "l1", amount: 0.8, fineTune });
    expect(once.zeros[0]! + once.zeros[1]!).toBe(Math.round(1088 * 0.8));
    const controller = new AbortController();
    const emit = (event: NewJobEvent) => event.type === "progress" && event.stage === "epoch 3/4" && controller.abort();
    const job = { model: "tiny-base", ...gradual };
    const stopped = bench.run("prune", job, { id: "stopped", emit, signal: controller.signal });
    await expect(stopped).rejects.toMatchObject({ code: "cancelled" });
    const { artifact } = await bench.run("prune", job, { id: "stopped" });
    const resumed = await bench.store.manifest(artifact?.digest ?? "");
    expect(resumed.files).toEqual(manifest.files);
  });

  it("gives the weights that are left their first values when rewound, and trains as the model was trained", async () => {
    const still = { ...fineTune, epochs: 1, optimizer: { type: "sgd", learningRate: 1e-10 } };
    const base = await bench.store.manifest((await bench.store.resolve("tiny-base")).digest);
    const first = await bench.run("train", { ...tinyTraining, epochs: 1, optimizer: still.optimizer });
    const initial = await weightsOf(await bench.store.manifest(first.artifact?.digest ?? ""));
    const trained = (await weightsOf(base))["hidden1/kernel"]!.data;
    const limit = trained.map(Math.abs).toSorted()[511]!;
    const { weights } = await prune({ method: "l1", scope: "local", amount: 0.5, rewind: "initial", fineTune: still });
    for (const [at, weight] of weights["hidden1/kernel"]!.data.entries()) {
      const kept = Math.abs(trained[at] ?? 0) > limit;
      expect(weight).toBeCloseTo(kept ? (initial["hidden1/kernel"]?.data[at] ?? 0) : 0, 6);
    }
    const ticket = await prune({ amount: 0, rewind: "initial" });
    expect(ticket.weights).toEqual(await weightsOf(base));
  });

  it("can't rewind what was not trained by a job of its own", async () => {
    await bench.run("prune", { model: "tiny-base", amount: 0.5 }, { id: "pruned" });
    await expect(prune({ model: "pruned", amount: 0.6, rewind: "initial" })).rejects.toMatchObject({
      code: "invalid_request",
      issues: [{ path: "params.rewind", message: expect.stringContaining("of the kind prune") }],
    });
  });

  it("reports how accurate the model is when each layer alone is pruned, and gives it its weights again", async () => {
    const cut = { method: "l1", amount: 0.5, scope: "local" };
    const { report, manifest, weights } = await prune({ ...cut, sensitivity: true });
    expect(report.sensitivity?.map(({ layers }) => layers)).toEqual([["hidden1/kernel"], ["logits/kernel"]]);
    for (const { points } of report.sensitivity ?? []) {
      expect(points.map(({ removed }) => removed)).toEqual(
        [0, 0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95].map((share) => expect.closeTo(share, 1)),
      );
      expect(points[0]?.accuracy).toBeGreaterThan(points.at(-1)?.accuracy ?? 1);
    }
    expect(manifest.files.map(({ path }) => path)).toContain("sensitivity.svg");
    expect(weights).toEqual((await prune(cut)).weights);
  });

  it("refuses a threshold that leaves nothing, and says which would leave something", async () => {
    const error = await prune({ threshold: 1e308 }).catch((thrown: unknown) => toAppError(thrown));
    const [issue] = error instanceof AppError ? error.issues : [];
    expect(issue).toMatchObject({ path: "params.threshold", message: expect.stringMatching(/not 1e\+308$/) });
    const largest = Number(/at most ([\d.]+), the largest/.exec(issue?.message ?? "")?.[1]);
    const { report } = await prune({ threshold: largest });
    expect(report.layers.reduce((left, { weights, zeros }) => left + weights - zeros, 0)).toBe(1);
  });

  it.each([
    ["amount", { amount: 1 }, "below 1"],
    ["pattern", { pattern: "4:2" }, "at least one of its weights"],
    ["pattern", { pattern: "2of4" }, "such as 2:4"],
    ["gradual", { amount: 0.5, gradual: {} }, "needs fineTune"],
    ["gradual", { pattern: "2:4", gradual: {}, fineTune: {} }, "needs an amount"],
    ["gradual", { amount: 0.5, gradual: { initial: 0.6 }, fineTune: {} }, "not below its initial share"],
    ["rewind", { amount: 0.5, gradual: {}, fineTune: {}, rewind: "initial" }, "can't be rewound"],
  ])("refuses a %s that makes no sense: %j", (field, cut, message) => {
    const { error } = definition.params.safeParse({ model: "tiny-base", ...cut });
    expect(error?.issues).toContainEqual(
      expect.objectContaining({ path: [field], message: expect.stringContaining(message) }),
    );
  });
});
