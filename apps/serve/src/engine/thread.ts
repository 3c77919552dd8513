import { parentPort, workerData } from "node:worker_threads";
import { AppError, toAppError, type Datatype, type TensorSpec } from "@whittle/contracts";
import { createSession, type Session } from "@whittle/onnx/runtime";
import { z } from "zod";
import type { TensorData, Tensors, ThreadReply, ThreadRequest, ThreadResult, ThreadTask } from "./messages.ts";

/*
 * One thread of the engine: ONNX Runtime loads and runs models in native calls that block, so they happen here and not on the thread that
 * answers HTTP. Requests are answered one after the other.
 */

const { intraOpThreads } = z.object({ intraOpThreads: z.int().positive() }).parse(workerData);
const sessions = new Map<string, Session>();

const arrays: Record<Datatype, new (length: number) => TensorData> = {
  BOOL: Uint8Array,
  UINT8: Uint8Array,
  INT8: Int8Array,
  INT32: Int32Array,
  INT64: BigInt64Array,
  FP32: Float32Array,
  FP64: Float64Array,
};

/** One sample of zeros: the first run allocates, and no user should wait for it. */
function zeros(specs: readonly TensorSpec[]): Tensors {
  return Object.fromEntries(
    specs.map(({ name, datatype, shape }) => {
      const sizes = shape.map((size) => (size === -1 ? 1 : size));
      const length = sizes.reduce((product, size) => product * size, 1);
      return [name, { datatype, shape: sizes, data: new arrays[datatype](length) }];
    }),
  );
}

async function load(key: string, model: Uint8Array): Promise<ThreadResult> {
  const session = await createSession(model, { threads: intraOpThreads });
  await session.run(zeros(session.inputs));
  sessions.set(key, session);
  return { type: "loaded", specs: { inputs: session.inputs, outputs: session.outputs } };
}

async function perform(task: ThreadTask): Promise<ThreadResult> {
  if (task.type === "load") return load(task.key, task.model);
  const session = sessions.get(task.key);
  if (task.type === "run") {
    if (session === undefined) throw new AppError("internal", `${task.key} is not loaded in this thread`);
    return { type: "ran", outputs: await session.run(task.inputs) };
  }
  sessions.delete(task.key);
  await session?.release();
  return { type: "released" };
}

async function answer({ id, ...task }: ThreadRequest): Promise<ThreadReply> {
  try {
    return { id, result: await perform(task) };
  } catch (error) {
    return { id, error: toAppError(error).toJSON() };
  }
}

let last = Promise.resolve();
parentPort?.on("message", (request: ThreadRequest) => {
  last = last.then(async () => parentPort?.postMessage(await answer(request), []));
});
