import { AppError, type Preprocessing } from "@whittle/contracts";
import { classify, createSession } from "@whittle/onnx/runtime";
import type { WhittleClient } from "@whittle/sdk";
import { loadDataset, toFloat } from "@whittle/zoo";
import { z } from "zod";
import type { Stage } from "./measure.ts";
import type { ServingReport } from "./report.ts";

interface Samples {
  x: Float32Array;
  y: Int32Array;
  /** Of one sample. */
  shape: number[];
}

/** Where the serving app listens, and what it is sent where it asks for keys. */
interface ServingApp {
  url: string;
  key: string | undefined;
}

const batch = 20;

/**
 * Sends real test images to the served model over both protocols and checks what comes back: both must give what the published file
 * gives when it is run here, and as many right answers as the measured accuracy lets expect.
 * @throws AppError `internal` when they don't.
 */
export async function checkServing(
  client: WhittleClient,
  serving: ServingApp,
  served: { stage: Stage; alias: string; dataset: string; images: number; datasetDirs: string[] },
): Promise<ServingReport> {
  const { stage, alias, dataset, images, datasetDirs } = served;
  const name = stage.model.replace(/@.*/, "");
  const samples = await testSamples(dataset, images, datasetDirs, stage.manifest.config.preprocessing);
  const expected = await predictHere(stage, samples);
  const answers = {
    "Open Inference Protocol v2": await overInferenceProtocol(client, `${name}@${alias}`, samples),
    "TensorFlow Serving REST": await overTensorFlowServing(
      { ...serving, url: `${serving.url}/v1/models/${name}/labels/${alias}:predict` },
      samples,
    ),
  };
  for (const [protocol, predictions] of Object.entries(answers)) {
    const wrong = predictions.findIndex((label, at) => label !== expected[at]);
    if (wrong < 0) continue;
    throw new AppError(
      "internal",
      `${protocol}: image ${wrong} was answered ${predictions[wrong]}, but the model gives ${expected[wrong]}`,
    );
  }
  const correct = expected.filter((label, at) => label === samples.y[at]).length;
  checkShare(correct / images, images, stage.manifest.metrics.accuracy?.value ?? 0);
  return {
    model: `${name}@${alias}`,
    url: `${serving.url}/v2/models/${name}`,
    images,
    correct,
    protocols: Object.keys(answers),
  };
}

/** A sample's share of right answers is within four standard errors of the measured accuracy, or something is wrong. */
function checkShare(share: number, n: number, accuracy: number): void {
  const error = Math.sqrt((accuracy * (1 - accuracy)) / n);
  if (Math.abs(share - accuracy) <= 4 * error) return;
  throw new AppError(
    "internal",
    `${(share * 100).toFixed(1)}% of ${n} served answers are right, but the model's accuracy is ${(accuracy * 100).toFixed(1)}%`,
  );
}

async function testSamples(
  dataset: string,
  images: number,
  dirs: string[],
  preprocessing: Preprocessing,
): Promise<Samples> {
  const { test, inputShape } = await loadDataset(dataset, { dirs, limit: { test: images } });
  return { x: toFloat(test, preprocessing), y: test.y, shape: inputShape };
}

async function predictHere({ onnx }: Stage, { x, shape }: Samples): Promise<number[]> {
  const session = await createSession(onnx, { threads: 1 });
  const { predictions } = await classify(session, x, shape, batch).finally(() => session.release());
  return [...predictions];
}

async function overInferenceProtocol(client: WhittleClient, model: string, samples: Samples): Promise<number[]> {
  const [input] = (await client.servedModel(model)).inputs;
  if (!input) throw new AppError("internal", `${model} has no inputs`);
  const answers: number[] = [];
  for (const { data, count } of batches(samples)) {
    const shape = [count, ...samples.shape];
    const { outputs } = await client.predict(model, [{ name: input.name, datatype: input.datatype, shape, data }]);
    answers.push(...rowsOf(outputs[0]?.data ?? [], count).map(argMax));
  }
  return answers;
}

const predictions = z.object({ predictions: z.array(z.array(z.number())) });

async function overTensorFlowServing({ url, key }: ServingApp, samples: Samples): Promise<number[]> {
  const answers: number[] = [];
  for (const { data, count } of batches(samples)) {
    const instances = rowsOf([...data], count).map((row) => nest(row, samples.shape));
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", ...(key !== undefined && { authorization: `Bearer ${key}` }) },
      body: JSON.stringify({ instances }),
    });
    if (!response.ok) throw new AppError("internal", `${url} answered ${response.status}: ${await response.text()}`);
    answers.push(...predictions.parse(await response.json()).predictions.map(argMax));
  }
  return answers;
}

function* batches({ x, y, shape }: Samples): Generator<{ data: Float32Array; count: number }> {
  const size = shape.reduce((product, length) => product * length, 1);
  for (let from = 0; from < y.length; from += batch) {
    const count = Math.min(batch, y.length - from);
    yield { data: x.subarray(from * size, (from + count) * size), count };
  }
}

function rowsOf(values: number[], count: number): number[][] {
  const size = values.length / count;
  return Array.from({ length: count }, (_, row) => values.slice(row * size, (row + 1) * size));
}

type Nested = number | Nested[];

/** [1, 2, 3, 4] with the shape [2, 2] is [[1, 2], [3, 4]]. */
function nest(values: number[], [length = 1, ...rest]: number[]): Nested {
  return rest.length === 0 ? values : rowsOf(values, length).map((row) => nest(row, rest));
}

function argMax(values: number[]): number {
  return values.indexOf(Math.max(...values));
}
