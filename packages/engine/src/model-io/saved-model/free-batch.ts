import { AppError } from "@whittle/contracts";
import { DataType } from "../../compile/graph-writer.ts";
import {
  nodesBehind,
  type Call,
  type Constant,
  type Feed,
  type Node,
  type Program,
  type Value,
} from "../../compile/program.ts";

/** What a function of one batch did, and what it gave. */
export interface Recording {
  program: Program;
  outputs: Value[];
  /** Samples in the batch. */
  batch: number;
}

/** Reads what is fed to the graph and is no argument: a weight. */
export type ReadFeed = (source: Feed["source"]) => Constant["values"];

/**
 * Makes what was recorded for two numbers of samples into one for any number. Sizes that grow with the batch are computed from the shape
 * of the first argument, and weights become constants.
 * @throws AppError `unsupported` naming the operation, when the recordings differ in another way.
 */
export function freeBatch(first: Recording, second: Recording, read: ReadFeed): Pick<Recording, "program" | "outputs"> {
  const nodes = nodesBehind(first.outputs, first.program);
  const twins = nodesBehind(second.outputs, second.program);
  const freer = new BatchFreer([first.batch, second.batch], read);
  for (const [at, node] of nodes.entries()) freer.take(node, twins[at]);
  const outputs = first.outputs.map((output, at) => freer.freed(output, second.outputs[at]));
  return { program: { ...first.program, nodes: freer.nodes }, outputs };
}

class BatchFreer {
  readonly nodes: Node[] = [];
  readonly #batches: [number, number];
  readonly #read: ReadFeed;
  readonly #taken = new Map<Node, { freed: Node; twin: Node }>();
  /** The number of samples: int32 [1]. */
  #samples: Value | undefined;

  constructor(batches: [number, number], read: ReadFeed) {
    this.#batches = batches;
    this.#read = read;
  }

  /** Takes the next node of the first recording, and the one of the second that must do the same. */
  take(node: Node, twin: Node | undefined): void {
    if (!twin) throw refusal(node, differs);
    this.#taken.set(node, { freed: this.#free(node, twin), twin });
  }

  /** What a value of the first recording has become, if it is the same as `twin` of the second. */
  freed({ node, output }: Value, twin: Value | undefined): Value {
    const taken = this.#taken.get(node);
    if (!taken || taken.twin !== twin?.node || output !== twin.output) throw refusal(node, differs);
    return { node: taken.freed, output };
  }

  #free(node: Node, twin: Node): Node {
    if (node.kind === "feed" && twin.kind === "feed") return this.#feed(node);
    if (node.kind === "constant" && twin.kind === "constant") return this.#constant(node, twin);
    if (node.kind === "call" && twin.kind === "call" && isSame(node, twin)) {
      return this.#add({ ...node, inputs: node.inputs.map((input, at) => this.freed(input, twin.inputs[at])) });
    }
    throw refusal(node, node.kind === "draw" ? "draws random numbers" : differs);
  }

  #feed(feed: Feed): Node {
    const [{ shape, dtype }] = feed.outputs;
    if (feed.source.from !== "argument") {
      return this.#add({
        kind: "constant",
        values: this.#read(feed.source),
        outputs: feed.outputs,
        varies: false,
        scope: feed.source.from,
      });
    }
    const free = this.#add({ ...feed, outputs: [{ shape: [-1, ...shape.slice(1)], dtype }] });
    this.#samples ??= this.#countSamples({ node: free, output: 0 }, shape.length);
    return free;
  }

  #countSamples(argument: Value, rank: number): Value {
    const shape = this.#call("Shape", [argument], [rank], [{ name: "out_type", type: 0, value: DataType.int32 }]);
    return this.#call("Slice", [shape, this.#integers([0]), this.#integers([1])], [1]);
  }

  #constant(node: Constant, twin: Constant): Node {
    const [{ shape, dtype }, { shape: other }] = [node.outputs[0], twin.outputs[0]];
    const [values, others] = [Array.from(node.values, Number), Array.from(twin.values, Number)];
    const isSameShape = shape.join() === other.join();
    if (isSameShape && values.every((value, at) => Object.is(value, others[at]))) return this.#add(node);
    if (isSameShape && shape.length === 1 && dtype === DataType.int32) return this.#sizes(node, values, others).node;
    const [fill] = values;
    const isUniform = fill !== undefined && [...values, ...others].every((value) => Object.is(value, fill));
    if (isSameShape || !isUniform || dtype !== DataType.float) {
      throw refusal(node, "has constants that depend on the number of samples");
    }
    const value = this.#made({ values: Float32Array.of(fill), outputs: [{ shape: [], dtype }] });
    return this.#call("Fill", [this.#sizes(node, shape, other), value], shape, [], dtype).node;
  }

  /** Each size of a shape, fixed or a multiple of the number of samples: samples * multiples + fixed. */
  #sizes(node: Constant, sizes: number[], others: number[]): Value {
    const [batch, otherBatch] = this.#batches;
    const grows = sizes.map((size, at) => size !== others[at]);
    const multiples = sizes.map((size, at) => (grows[at] ? size / batch : 0));
    const isRight = multiples.every((multiple, at) => !grows[at] || multiple * otherBatch === others[at]);
    if (!this.#samples || !isRight || !multiples.every(Number.isInteger)) {
      throw refusal(node, "has sizes that are no multiples of the number of samples");
    }
    const shape = [sizes.length];
    const growing = this.#call("Mul", [this.#samples, this.#integers(multiples)], shape);
    const fixed = this.#integers(sizes.map((size, at) => (grows[at] ? 0 : size)));
    return this.#call("AddV2", [growing, fixed], shape);
  }

  #call(op: string, inputs: Value[], shape: number[], attrs: Call["attrs"] = [], dtype: number = DataType.int32) {
    const outputs = [{ shape, dtype }];
    const node = this.#add({ kind: "call", op, attrs, inputs, outputs, varies: true, scope: "the number of samples" });
    return { node, output: 0 };
  }

  #integers(values: number[]): Value {
    const outputs: Constant["outputs"] = [{ shape: [values.length], dtype: DataType.int32 }];
    return this.#made({ values: Int32Array.from(values), outputs });
  }

  #made(constant: Pick<Constant, "values" | "outputs">): Value {
    const node = this.#add({ kind: "constant", varies: false, scope: "the number of samples", ...constant });
    return { node, output: 0 };
  }

  #add<N extends Node>(node: N): N {
    this.nodes.push(node);
    return node;
  }
}

const differs = "is not the same for another number of samples";

function isSame(call: Call, twin: Call): boolean {
  const attrs = ({ attrs: list }: Call) => JSON.stringify(list.map(({ name, value }) => [name, value]));
  return call.op === twin.op && attrs(call) === attrs(twin) && call.inputs.length === twin.inputs.length;
}

function refusal(node: Node, what: string): AppError {
  return new AppError("unsupported", `The model can't be written as a SavedModel: ${nameOf(node)} ${what}`);
}

function nameOf(node: Node): string {
  if (node.kind === "feed") return "an input";
  return node.kind === "call" ? `${node.scope} (${node.op})` : node.scope.replace(/__op$/, "");
}
