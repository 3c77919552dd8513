/** The suite that every kind of job passes: see {@link testJobKind}. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  modelReferences,
  parse,
  type JobEnvelope,
  type JobResult,
  type Manifest,
  type NewJobEvent,
} from "@whittle/contracts";
import { initEngine, loadModel, predict, tf } from "@whittle/engine";
import { classify, createSession } from "@whittle/onnx/runtime";
import { ArtifactStore, MemoryDriver } from "@whittle/store";
import { loadDataset, toFloat } from "@whittle/zoo";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { catalog } from "./catalog.ts";
import { runJob } from "./runners.ts";

/** What {@link testJobKind} is told about a kind. */
export interface KindUnderTest {
  /** Parameters for the data set `tiny`; a model that they name is `tiny-base`, an MLP that the suite publishes first. */
  params: Record<string, unknown>;
  /** The same with another seed; left out where a kind has none. */
  reseeded?: Record<string, unknown>;
  /** Files that the parameters name by their digests. */
  uploads?: Uint8Array[];
}

/** A store in memory and a folder to run jobs of any kind in. */
export interface JobBench {
  store: ArtifactStore;
  /** Holds the store. */
  driver: MemoryDriver;
  /** Holds the jobs' folders. */
  folder: string;
  /** Runs a job in a folder of its id, which also names its output. */
  run: (kind: string, params: Record<string, unknown>, options?: RunOptions) => Promise<JobResult>;
  close: () => Promise<void>;
}

interface RunOptions {
  id?: string;
  /** By default on: a job runs although the same was made before. */
  fresh?: boolean;
  mayPublish?: () => Promise<void>;
  signal?: AbortSignal;
  emit?: (event: NewJobEvent) => void;
}

/** Parameters of a small model for the data set `tiny`, which it learns. */
export const tinyTraining = {
  family: "mlp",
  familyParams: { hidden: [16] },
  dataset: "tiny",
  epochs: 3,
  batchSize: 16,
  optimizer: { type: "adam", learningRate: 0.02 },
  seed: 7,
};

/** @param base whether to publish a trained model as `tiny-base` first. */
export async function openBench({ base = true } = {}): Promise<JobBench> {
  const driver = new MemoryDriver();
  const store = new ArtifactStore(driver);
  const folder = await mkdtemp(join(tmpdir(), "whittle-jobs-"));
  let jobs = 0;
  const run: JobBench["run"] = (kind, params, options = {}) => {
    const { id = `${kind}-${++jobs}`, signal = new AbortController().signal, emit = () => {}, fresh = true } = options;
    const { mayPublish } = options;
    return runJob(
      { ...envelope(id, kind, params), fresh },
      { store, workDir: join(folder, id), emit, signal, ...(mayPublish && { mayPublish }) },
    );
  };
  if (base) await run("train", tinyTraining, { id: "tiny-base" });
  return { store, driver, folder, run, close: () => rm(folder, { recursive: true, force: true }) };
}

function envelope(id: string, kind: string, params: Record<string, unknown>): JobEnvelope {
  const createdAt = new Date().toISOString();
  return { id, kind, params, output: { name: id }, timeoutSeconds: 60, createdAt, submittedBy: "test" };
}

/**
 * Checks what every kind promises: its parameters survive a round trip, it stops when it is told to and then publishes nothing, its
 * artifact can be loaded and answers as was measured, it leaves no tensor behind, and the same seed gives the same artifact.
 */
export function testJobKind(kind: string, { params, reseeded, uploads = [] }: KindUnderTest): void {
  describe(`the job kind ${kind}`, () => {
    let bench: JobBench;
    beforeAll(async () => {
      await initEngine();
      bench = await openBench();
      for (const bytes of uploads) await bench.store.putContent(bytes);
    });
    afterAll(() => bench.close());

    testParameters(kind, params);
    testAbort(kind, params, () => bench);
    testTensors(kind, params, () => bench);
    if (catalog[kind]?.publishes) testArtifact(kind, { params, reseeded }, () => bench);
  });
}

function testParameters(kind: string, params: Record<string, unknown>): void {
  const schema = catalog[kind]!.params;
  it.each([
    ["its example", catalog[kind]?.example],
    ["parameters", params],
  ])("reads %s, and reads them again as they were once every default is filled in", (_what, value) => {
    const complete = parse(schema, value, kind);
    expect(parse(schema, JSON.parse(JSON.stringify(complete)), kind)).toEqual(complete);
  });

  it("describes each of its parameters in a JSON schema", () => {
    const whole = z.toJSONSchema(schema, { io: "input" });
    for (const { properties = {} } of whole.oneOf ?? [whole]) {
      const silent = Object.entries(properties).filter(
        ([, property]) => !Object.hasOwn(Object(property), "description"),
      );
      expect(silent.map(([name]) => name)).toEqual([]);
      expect(properties).not.toEqual({});
    }
  });

  it("refuses a parameter that it does not have, by name", () => {
    expect(() => parse(schema, { ...params, epochz: 3 }, kind)).toThrow(/epochz/);
  });
}

function testAbort(kind: string, params: Record<string, unknown>, bench: () => JobBench): void {
  it("stops at any stage when it is told to, publishes nothing, and can still be brought to the same end", async () => {
    const stages: string[] = [];
    const note = (event: NewJobEvent) => event.type === "progress" && stages.push(event.stage);
    const whole = await bench().run(kind, params, { id: `${kind}-whole`, emit: note });
    for (const stop of new Set(stages)) {
      const controller = new AbortController();
      const emit = (event: NewJobEvent) => event.type === "progress" && event.stage === stop && controller.abort();
      const stopped = bench().run(kind, params, { id: `${kind}-stopped`, emit, signal: controller.signal });
      await expect(stopped).rejects.toMatchObject({ code: "cancelled" });
    }
    const names = (await bench().store.models()).map(({ name }) => name);
    expect(names).not.toContain(`${kind}-stopped`);
    const resumed = await bench().run(kind, params, { id: `${kind}-stopped` });
    expect(resumed.artifact?.digest).toBe(whole.artifact?.digest);
    expect(resumed.metrics["accuracy"]).toEqual(whole.metrics["accuracy"]);
    expect(whole.metrics["accuracy"]).toBeDefined();
  });
}

function testTensors(kind: string, params: Record<string, unknown>, bench: () => JobBench): void {
  it("leaves no tensor behind", async () => {
    const before = tf.memory().numTensors;
    await bench().run(kind, params);
    expect(tf.memory().numTensors).toBe(before);
  });
}

function testArtifact(kind: string, { params, reseeded }: KindUnderTest, bench: () => JobBench): void {
  it("publishes a model that answers as was measured, in each of its forms", async () => {
    const { artifact, metrics } = await bench().run(kind, params);
    const manifest = await bench().store.manifest(artifact?.digest ?? "");
    const { test, inputShape } = await loadDataset("tiny");
    const x = toFloat(test, manifest.config.preprocessing);
    const session = await createSession(await bench().store.readFile(manifest, "onnx"));
    const { logits, predictions } = await classify(session, x, inputShape, test.count);
    await session.release();
    const correct = predictions.filter((prediction, i) => prediction === test.y[i]).length;
    expect(metrics["accuracy"]).toMatchObject({ value: correct / test.count, n: test.count });
    expect(manifest.metrics.accuracy).toEqual(metrics["accuracy"]);
    const trainable = await trainableLogits(bench().store, manifest, tf.tensor(x, [test.count, ...inputShape]));
    for (const [i, logit] of trainable.entries()) expect(logits[i]).toBeCloseTo(logit, 3);
  });

  it("names the models that it was made from by their digests", async () => {
    const { artifact } = await bench().run(kind, params);
    const manifest = await bench().store.manifest(artifact?.digest ?? "");
    const named = modelReferences(catalog[kind]!, params);
    const { digest } = await bench().store.resolve("tiny-base");
    expect(manifest.parents).toEqual(named.map(({ role }) => ({ role, digest })));
    const digests = modelReferences(catalog[kind]!, manifest.job.params);
    expect(digests).toEqual(named.map(({ param, role }) => ({ param, reference: digest, role })));
  });

  it("gives the same artifact for the same seed", async () => {
    const first = await bench().run(kind, params);
    const second = await bench().run(kind, params);
    expect(second.artifact?.digest).toBe(first.artifact?.digest);
  });

  if (reseeded === undefined) return;
  it("gives other weights for another seed", async () => {
    expect(await onnxDigest(bench(), kind, reseeded)).not.toBe(await onnxDigest(bench(), kind, params));
  });
}

/** The logits of an artifact's trainable form; none where it has no such form. Disposes `x`. */
async function trainableLogits(store: ArtifactStore, manifest: Manifest, x: tf.Tensor): Promise<Float32Array> {
  try {
    if (!manifest.files.some(({ role }) => role === "tfjs")) return new Float32Array();
    const [topology, weights] = [await store.readFile(manifest, "tfjs"), await store.readFile(manifest, "weights")];
    const model = await loadModel({ topology, weights });
    const logits = predict(model, x);
    const values = Float32Array.from(logits.dataSync());
    logits.dispose();
    model.dispose();
    return values;
  } finally {
    x.dispose();
  }
}

async function onnxDigest({ run, store }: JobBench, kind: string, params: Record<string, unknown>): Promise<string> {
  const { artifact } = await run(kind, params);
  const { files } = await store.manifest(artifact?.digest ?? "");
  return files.find(({ role }) => role === "onnx")?.digest ?? "";
}
