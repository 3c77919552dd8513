import { AppError } from "@whittle/contracts";
import { adamOp, emitAdam } from "./adam.ts";
import { attr, attrOf, DataType, node, type Put, type TensorValues } from "./graph-writer.ts";
import type { AttrValue, NodeDef } from "./messages.ts";
import { inferredAttrs, opEntry } from "./op-table.ts";
import { isMultiplication, Narrow } from "./narrow.ts";
import {
  spec,
  type Call,
  type Constant,
  type Draw,
  type Feed,
  type Node,
  type Program,
  type Spec,
  type Value,
} from "./program.ts";
import { isInPlace, planState, type StatePlan } from "./state.ts";
import { emitState, emitVariable, keptName, ready, type Change } from "./state-nodes.ts";
import { mixSeed } from "../train/random.ts";

/** The feed that carries the number of the call; random numbers follow from it. */
const stepName = "step";

/** What is not for XLA: inputs, constants, and whatever touches variables. */
const plainOps = new Set([
  "Placeholder",
  "Const",
  "NoOp",
  "VarHandleOp",
  "ReadVariableOp",
  "AssignVariableOp",
  "DestroyResourceOp",
]);

/** Ops whose output's shape depends on values; it is checked when the graph runs, as all else was recorded for one shape. */
const dynamicShapes = new Set([
  "NonMaxSuppressionV3",
  "NonMaxSuppressionV4",
  "NonMaxSuppressionV5",
  "UniqueV2",
  "Where",
]);

export interface EmitOptions {
  /** Lets XLA compile the nodes. */
  xla: boolean;
  /** Multiplies matrices in bfloat16. */
  mixed?: boolean;
  /** From which all random numbers of the graph follow, together with the number of the call. */
  seed: number;
}

export interface Emitted {
  nodes: NodeDef[];
  feeds: { name: string; source: Feed["source"]; spec: Spec }[];
  /** `name:output` of each output, none of them twice. */
  fetches: string[];
  usesStep: boolean;
}

/** Writes the nodes that the outputs and the program's variables need. */
export function emit(program: Program, outputs: Value[], options: EmitOptions): Emitted {
  return new Emitter(program, outputs, options).emit();
}

class Emitter {
  readonly #program: Program;
  readonly #indexes: Map<Node, number>;
  readonly #options: EmitOptions;
  readonly #outputs: Value[];
  readonly #plan: StatePlan;
  readonly #names = new Map<Node, string>();
  readonly #nodes: NodeDef[] = [];
  readonly #feeds: Emitted["feeds"] = [];
  readonly #put: Put = (...made) => this.#add(...made);
  readonly #narrow = new Narrow(this.#put);
  #draws = 0;

  constructor(program: Program, outputs: Value[], options: EmitOptions) {
    this.#program = program;
    this.#outputs = outputs;
    this.#plan = planState(program, outputs);
    this.#indexes = new Map(program.nodes.map((made, index) => [made, index]));
    this.#options = options;
  }

  emit(): Emitted {
    for (const needed of this.#plan.nodes) this.#names.set(needed, this.#emitNode(needed));
    const fetches = this.#outputs.map((value, at) => this.#fetch(value, at));
    if (this.#program.updates.length + this.#plan.places.size > 0) this.#emitState();
    if (this.#draws > 0) {
      this.#put(stepName, "Placeholder", [], { dtype: attr.type(DataType.int32), shape: attr.shape([]) });
    }
    return { nodes: this.#nodes, feeds: this.#feeds, fetches, usesStep: this.#draws > 0 };
  }

  #index(of: Node): number {
    return this.#indexes.get(of) ?? -1;
  }

  #add(name: string, op: string, inputs: string[], attrs: Record<string, AttrValue>): string {
    const xla = this.#options.xla && !plainOps.has(op);
    const marks: Record<string, AttrValue> = xla
      ? { _XlaCompile: attr.bool(true), _XlaScope: attr.string("whittle") }
      : {};
    this.#nodes.push(node(name, op, inputs, { ...attrs, ...marks }));
    return name;
  }

  /** A fetch needs a node of its own: a feed can't be fetched, nor one output twice. */
  #fetch(value: Value, at: number): string {
    const dtype = attr.type(spec(value).dtype);
    return `${this.#put(`fetch${at}`, "Identity", [this.#reference(value)], { T: dtype })}:0`;
  }

  #reference({ node: made, output }: Value): string {
    const name = this.#names.get(made);
    if (made.kind === "call" && made.op === adamOp) return `${name}_read${output}:0`;
    return hasCheckedShape(made) ? `${name}_shape${output}:0` : `${name}:${output}`;
  }

  #emitNode(made: Node): string {
    if (made.kind === "feed") return this.#emitFeed(made);
    if (made.kind === "constant") return this.#constant(`n${this.#index(made)}`, made);
    return made.kind === "draw" ? this.#emitDraw(made) : this.#emitCall(made);
  }

  #emitFeed(feed: Feed): string {
    const [of] = feed.outputs;
    const dtype = attr.type(of.dtype);
    const kept = this.#plan.kept.get(feed);
    if (kept !== undefined) {
      return this.#put(`${keptName(kept)}_read`, "ReadVariableOp", [`${keptName(kept)}:0`], { dtype });
    }
    const name = `feed${this.#feeds.length}`;
    this.#feeds.push({ name, source: feed.source, spec: of });
    return this.#put(name, "Placeholder", [], { dtype, shape: attr.shape(of.shape) });
  }

  #constant(name: string, { outputs: [of], values }: Pick<Constant, "outputs" | "values">): string {
    return this.#put(name, "Const", [], { dtype: attr.type(of.dtype), value: attr.tensor(of, typed(values)) });
  }

  /** Two int32 from which stateless random ops draw: (seed mixed with the draw's number, number of the call). */
  #seed(name: string): string {
    const values = Int32Array.of(mixSeed(this.#options.seed, this.#draws++));
    const key = this.#constant(`${name}_key`, { values, outputs: [{ shape: [], dtype: DataType.int32 }] });
    const attrs = { T: attr.type(DataType.int32), N: attr.int(2), axis: attr.int(0) };
    return this.#put(`${name}_seed`, "Pack", [`${key}:0`, `${stepName}:0`], attrs);
  }

  #emitDraw(draw: Draw): string {
    const name = `n${this.#index(draw)}_${draw.distribution}`;
    const { shape } = draw.outputs[0];
    const int32 = attr.type(DataType.int32);
    const values = Int32Array.from(shape);
    const size = this.#constant(`${name}_shape`, {
      values,
      outputs: [{ shape: [shape.length], dtype: DataType.int32 }],
    });
    const op = {
      uniform: "StatelessRandomUniform",
      normal: "StatelessRandomNormal",
      truncated: "StatelessTruncatedNormal",
    }[draw.distribution];
    const attrs = { dtype: attr.type(DataType.float), T: int32, Tseed: int32 };
    const drawn = this.#put(name, op, [`${size}:0`, `${this.#seed(name)}:0`], attrs);
    return this.#affine(this.#affine(drawn, "Mul", draw.scale, 1), "AddV2", draw.offset, 0);
  }

  #affine(input: string, op: "Mul" | "AddV2", by: number, neutral: number): string {
    if (by === neutral) return input;
    const name = `${input}_${op}`;
    const values = Float32Array.of(by);
    const constant = this.#constant(`${name}_by`, { values, outputs: [{ shape: [], dtype: DataType.float }] });
    return this.#put(name, op, [`${input}:0`, `${constant}:0`], { T: attr.type(DataType.float) });
  }

  #emitCall(call: Call): string {
    const name = `n${this.#index(call)}_${call.op}`;
    if (call.op === adamOp) return this.#emitAdam(name, call);
    const inputs = call.inputs.map((input) => this.#reference(input));
    if (call.op === "Multinomial") return this.#emitMultinomial(name, call, inputs);
    if (this.#options.mixed && isMultiplication(call)) this.#narrow.multiply(name, call, inputs, callAttrs(call));
    else this.#put(name, call.op, inputs, callAttrs(call));
    if (hasCheckedShape(call)) this.#ensureShapes(name, call);
    return name;
  }

  #emitAdam(name: string, call: Call): string {
    const slots = call.inputs.slice(0, call.outputs.length).map((input, at) => {
      const place = this.#plan.places.get(call)?.[at];
      const variable = place === undefined ? emitVariable(`${name}_own${at}`, spec(input), this.#put) : keptName(place);
      return isInPlace(call, at, this.#plan) ? { variable } : { variable, value: this.#reference(input) };
    });
    const [gradient = "", rate = ""] = call.inputs.slice(call.outputs.length).map((input) => this.#reference(input));
    return emitAdam(name, call, { slots, gradient, rate }, this.#put);
  }

  #emitState(): void {
    const changes = this.#program.updates.map(({ value }, at) => this.#change(value, at));
    const ends = this.#plan.ends.flatMap((end) => this.#waitFor(end));
    emitState(changes, ends, this.#put);
  }

  #change(value: Value, at: number): Change {
    const of = spec(value);
    const user = [...this.#plan.places].find(([, places]) => places.includes(at));
    if (!user) return { of, value: this.#reference(value), after: [ready] };
    const [call, places] = user;
    const [name, output] = [this.#names.get(call), places.indexOf(at)];
    if (value.node === call && value.output === output) return { of, after: [`${name}_apply`] };
    return { of, value: this.#reference(value), after: [`${name}_apply`, `${name}_read${output}`] };
  }

  #waitFor(made: Node): string[] {
    const name = this.#names.get(made);
    return hasCheckedShape(made) ? made.outputs.map((_, output) => `${name}_shape${output}`) : [`${name}`];
  }

  #emitMultinomial(name: string, call: Call, inputs: string[]): string {
    const { T, output_dtype } = callAttrs(call);
    const attrs = { ...(T && { T }), ...(output_dtype && { output_dtype }), Tseed: attr.type(DataType.int32) };
    return this.#put(name, "StatelessMultinomial", [...inputs, `${this.#seed(name)}:0`], attrs);
  }

  #ensureShapes(name: string, { outputs }: Call): void {
    for (const [output, { dtype, shape }] of outputs.entries()) {
      const attrs = { T: attr.type(dtype), shape: attr.shape(shape) };
      this.#put(`${name}_shape${output}`, "EnsureShape", [`${name}:${output}`], attrs);
    }
  }
}

function hasCheckedShape(made: Node): made is Call {
  return made.kind === "call" && made.varies && dynamicShapes.has(made.op);
}

/** The attributes that tfjs gave, with those that follow from the inputs' types put right. */
function callAttrs({ op, attrs, inputs, scope }: Call): Record<string, AttrValue> {
  const kinds = opEntry(op).attrs;
  const inferred = inferredAttrs(
    op,
    inputs.map((input) => spec(input).dtype),
  );
  const given = { ...Object.fromEntries(attrs.map(({ name, value }) => [name, value])), ...inferred };
  return Object.fromEntries(
    Object.entries(given).map(([name, value]) => {
      const kind = kinds[name];
      if (kind === undefined) throw new AppError("unsupported", `compile: ${op} (${scope}) has no attribute ${name}`);
      return [name, attrOf(kind, value, `${op}.${name}`)];
    }),
  );
}

function typed(values: ArrayLike<unknown>): TensorValues {
  if (values instanceof Float32Array || values instanceof Int32Array || values instanceof Uint8Array) return values;
  throw new AppError("unsupported", "compile: constants must be numbers or booleans; pass strings as arguments");
}
