import { AppError, type Issue, type TensorSpec } from "@whittle/contracts";
import ort from "onnxruntime-node";
import { datatypeOf, fromRuntime, holds, toRuntime, type TensorValue } from "./tensors.ts";

// Remarks about the machine and the graph would go to stderr of whatever program this runs in; failures are thrown.
ort.env.logLevel = "error";
const ONLY_ERRORS = 3;

export const onnxRuntimeVersion: string = ort.env.versions.node ?? ort.env.versions.common;

export interface SessionOptions {
  /** Threads of one operator; 1 unless given, because a server runs sessions side by side. */
  threads?: number;
  /** Where ONNX Runtime writes the graph as it has optimized it. */
  optimizedModelPath?: string;
  /** `basic` keeps to rewritings within the ONNX standard; all unless given. */
  optimization?: "basic" | "all";
}

/** A loaded model. `run` blocks the thread that it is called on while the model works. */
export interface Session {
  inputs: readonly TensorSpec[];
  outputs: readonly TensorSpec[];
  /** @throws AppError `invalid_request` naming the inputs that do not fit. */
  run(feeds: Readonly<Record<string, TensorValue>>): Promise<Record<string, TensorValue>>;
  release(): Promise<void>;
}

function toSpec(value: ort.InferenceSession.ValueMetadata): TensorSpec {
  const datatype = value.isTensor ? datatypeOf(value.type) : undefined;
  if (!value.isTensor || datatype === undefined) {
    const type = value.isTensor ? value.type : "no tensor";
    throw new AppError("unsupported", `The model's ${value.name} is ${type}, which can't be given or read.`);
  }
  return { name: value.name, datatype, shape: value.shape.map((size) => (typeof size === "number" ? size : -1)) };
}

function fits(shape: readonly number[], spec: TensorSpec): boolean {
  return shape.length === spec.shape.length && spec.shape.every((size, axis) => size === -1 || size === shape[axis]);
}

function checkFeed(spec: TensorSpec, feed: TensorValue | undefined): Issue[] {
  const path = `inputs.${spec.name}`;
  if (!feed) return [{ path, message: "is missing" }];
  if (feed.datatype !== spec.datatype || !holds(spec.datatype, feed.data)) {
    return [{ path, message: `is ${feed.datatype}, must be ${spec.datatype}` }];
  }
  if (!fits(feed.shape, spec)) {
    return [
      { path, message: `has shape [${feed.shape.join(", ")}], must be [${spec.shape.join(", ")}] (-1: any size)` },
    ];
  }
  const count = feed.shape.reduce((product, size) => product * size, 1);
  if (feed.data.length !== count)
    return [{ path, message: `has ${feed.data.length} elements, its shape says ${count}` }];
  return [];
}

function checkFeeds(specs: readonly TensorSpec[], feeds: Readonly<Record<string, TensorValue>>): void {
  const unknown = Object.keys(feeds).filter((name) => specs.every((spec) => spec.name !== name));
  const issues = [
    ...specs.flatMap((spec) => checkFeed(spec, feeds[spec.name])),
    ...unknown.map((name) => ({
      path: `inputs.${name}`,
      message: `is not an input; there are: ${specs.map((spec) => spec.name).join(", ")}`,
    })),
  ];
  const [first] = issues;
  if (first)
    throw new AppError("invalid_request", `The inputs do not fit the model: ${first.path} ${first.message}.`, {
      issues,
    });
}

async function load(model: Uint8Array, { threads = 1, optimizedModelPath, optimization = "all" }: SessionOptions) {
  try {
    return await ort.InferenceSession.create(model, {
      executionProviders: ["cpu"],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      graphOptimizationLevel: optimization,
      logSeverityLevel: ONLY_ERRORS,
      ...(optimizedModelPath !== undefined && { optimizedModelFilePath: optimizedModelPath }),
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new AppError("corrupt", `ONNX Runtime does not load the model: ${reason}`, { cause: error });
  }
}

/**
 * Loads an ONNX model into ONNX Runtime on the CPU. Loading and running are synchronous native calls: use a worker thread where an event
 * loop must stay free.
 * @throws AppError `corrupt` when the model does not load.
 */
export async function createSession(model: Uint8Array, options: SessionOptions = {}): Promise<Session> {
  const session = await load(model, options);
  const inputs = session.inputMetadata.map(toSpec);
  const outputs = session.outputMetadata.map(toSpec);
  return {
    inputs,
    outputs,
    async run(feeds) {
      checkFeeds(inputs, feeds);
      const tensors = Object.fromEntries(Object.entries(feeds).map(([name, feed]) => [name, toRuntime(feed)]));
      const results = await session.run(tensors);
      return Object.fromEntries(
        outputs.flatMap(({ name }) => {
          const value = results[name] && fromRuntime(results[name]);
          return value ? [[name, value]] : [];
        }),
      );
    },
    release: () => session.release(),
  };
}
