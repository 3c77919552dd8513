import { AppError } from "@whittle/contracts";
import { tf } from "../tf.ts";
import type { NativeBackend } from "../runtime/native.ts";
import type { Node, Output, Program } from "./program.ts";
import { fitDraw } from "./random.ts";
import { Recorder } from "./recorder.ts";
import { mapTensors } from "./structure.ts";
import { aliasOf, allVariables, handleOf, separate, Snapshot } from "./variables.ts";

/** Either a program, with everything as it was before; or what the call returned, where it made variables and so was a real step. */
export type Traced<R> = { program: Program } | { result: R };

export interface TraceRequest<A extends unknown[], R> {
  backend: NativeBackend;
  fn: (...args: A) => R;
  args: A;
  /** The tensors among the arguments, in the order of {@link mapTensors}. */
  tensors: tf.Tensor[];
  random: () => number;
  /** Whether updates of weights may become single operations. */
  mayFuse: boolean;
  /** Whether the function may still make state (variables, kept tensors): then the call counts as a step that ran eagerly. */
  mayInitialise: boolean;
}

let active: Recorder | undefined;

/** Whether a function is being traced now; a compiled function that is called meanwhile becomes part of it. */
export function isTracing(): boolean {
  return active !== undefined;
}

/** The recorder of the trace that is under way. */
export function activeRecorder(): Recorder | undefined {
  return active;
}

/**
 * Runs `fn` once while recording it.
 * @throws what `fn` throws, and AppError `unsupported` for what a graph can't do; variables are then as they were.
 */
export function trace<A extends unknown[], R>(request: TraceRequest<A, R>): Traced<R> {
  const { backend, random, mayFuse } = request;
  const variables = allVariables();
  separate(backend, variables);
  const before = new Snapshot(variables);
  const recorder = new Recorder(backend, random, mayFuse);
  const aliases = request.tensors.map((tensor) => aliasOf(backend, tensor));
  active = recorder;
  try {
    recorder.install();
    const traced = record(request, recorder, variables, aliases);
    if ("program" in traced) undo(before, recorder);
    return traced;
  } catch (error) {
    undo(before, recorder);
    throw recorder.error ?? error;
  } finally {
    recorder.remove();
    active = undefined;
    tf.dispose(aliases);
    before.dispose();
  }
}

function undo(before: Snapshot, recorder: Recorder): void {
  recorder.remove();
  before.restore();
  for (const [optimizer, iterations] of recorder.optimizers) Reflect.set(optimizer, "iterations_", iterations);
}

function record<A extends unknown[], R>(
  request: TraceRequest<A, R>,
  recorder: Recorder,
  variables: tf.Variable[],
  aliases: tf.Tensor[],
): Traced<R> {
  const { backend, fn, args } = request;
  const handles = new Map(variables.map((variable) => [variable, handleOf(backend, variable)]));
  for (const variable of variables) recorder.feed(variable, { from: "variable", variable });
  for (const [index, alias] of aliases.entries()) recorder.feed(alias, { from: "argument", index });
  const newest = tf.tidy(() => tf.scalar(0).id);
  let next = 0;
  const traced = mapTensors(args, (tensor) => (tensor instanceof tf.Variable ? tensor : (aliases[next++] ?? tensor)));
  const result = callInTidy(fn, traced);
  if (recorder.error) throw recorder.error;
  const outputs = describeResult(result, recorder, aliases, newest);
  const updates = variables
    .filter((variable) => !variable.isDisposed && handleOf(backend, variable) !== handles.get(variable))
    .map((variable) => ({ variable, value: recorder.value(variable) }));
  const lasting = findLastingState(backend, recorder, variables, result);
  if (lasting !== undefined) {
    if (!request.mayInitialise) throw new AppError("unsupported", `compile: ${lasting}`);
    return { result: mapTensors(result, (tensor) => original(tensor, aliases, request.tensors)) };
  }
  recorder.remove();
  for (const node of recorder.nodes) if (node.kind === "draw") fitDraw(node);
  tf.dispose(tensorsIn(result).filter((tensor) => isMadeAfter(tensor, newest)));
  const optimizers = [...recorder.optimizers.keys()].map((optimizer) => ({ optimizer, config: configOf(optimizer) }));
  return { program: { nodes: recorder.nodes, updates, outputs, result, optimizers } };
}

export function configOf(optimizer: tf.Optimizer): string {
  return JSON.stringify(optimizer.getConfig());
}

/** Disposes what `fn` made and neither returned nor kept, whatever tidy the caller is in. */
export function callInTidy<A extends unknown[], R>(fn: (...args: A) => R, args: A): R {
  const engine = tf.engine();
  engine.startScope("compile");
  let result: R | undefined;
  try {
    result = fn(...args);
    if (result instanceof Promise)
      throw new AppError("unsupported", "compile: the function returned a promise; it must be synchronous");
    return result;
  } finally {
    engine.endScope(tensorsIn(result));
  }
}

function describeResult(result: unknown, recorder: Recorder, aliases: tf.Tensor[], newest: number): Output[] {
  const outputs: Output[] = [];
  mapTensors(result, (tensor) => {
    const index = aliases.indexOf(tensor);
    if (index >= 0) outputs.push({ is: "argument", index });
    else if (!isMadeAfter(tensor, newest)) outputs.push({ is: "same", tensor });
    else outputs.push({ is: "value", value: recorder.value(tensor) });
    return tensor;
  });
  return outputs;
}

/** State that the function made and that outlives the call, in words; undefined where there is none. */
function findLastingState(
  backend: NativeBackend,
  recorder: Recorder,
  before: tf.Variable[],
  result: unknown,
): string | undefined {
  const known = new Set(before);
  const now = allVariables();
  const made = now.find((variable) => !known.has(variable));
  if (made) return `the function makes a variable (${made.name}) in every call; make it once, outside`;
  if (before.some((variable) => variable.isDisposed)) return "the function disposes a variable; dispose it outside";
  const disposed = recorder.nodes.find(
    (node) => node.kind === "feed" && node.source.from === "captured" && !backend.tensorMap.has(node.source.dataId),
  );
  if (disposed) {
    return `the function disposes a tensor of shape ${shapeText(disposed)} that it did not make (a stateful RNN does); keep state in a tf.Variable`;
  }
  const kept = findKept(backend, recorder, new Set<tf.Tensor>([...now, ...tensorsIn(result)]));
  if (kept) {
    return `the function keeps a tensor of shape [${kept.join(", ")}] beyond the call (tf.keep, a stateful RNN); keep it in a tf.Variable or return it`;
  }
  return undefined;
}

/** The shape of the first data that something else than `accounted` still holds. */
function findKept(backend: NativeBackend, recorder: Recorder, accounted: Set<tf.Tensor>): number[] | undefined {
  const holders = new Map<object, number>();
  for (const { dataId } of accounted) holders.set(dataId, (holders.get(dataId) ?? 0) + 1);
  for (const [dataId, { shape }] of recorder.created) {
    if (!backend.tensorMap.has(dataId)) continue;
    if (backend.tensorMap.get(dataId).refCount > (holders.get(dataId) ?? 0)) return shape;
  }
  return undefined;
}

function shapeText({ outputs }: Node): string {
  return `[${outputs[0]?.shape.join(", ")}]`;
}

function tensorsIn(tree: unknown): tf.Tensor[] {
  const tensors: tf.Tensor[] = [];
  mapTensors(tree, (tensor) => {
    tensors.push(tensor);
    return tensor;
  });
  return tensors;
}

function original(tensor: tf.Tensor, aliases: tf.Tensor[], tensors: tf.Tensor[]): tf.Tensor {
  return tensors[aliases.indexOf(tensor)] ?? tensor;
}

/** Tensors are numbered in the order in which they are made. */
function isMadeAfter(tensor: tf.Tensor, newest: number): boolean {
  return !(tensor instanceof tf.Variable) && tensor.id > newest;
}
