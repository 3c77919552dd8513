import type { Node, OnnxModel, ValueInfo } from "../proto/model.ts";
import { node, valueInfo, type AttributeValue } from "../proto/node.ts";
import { DataType, tensor, type TensorData } from "../proto/tensor.ts";

/** Opset and IR version of every model that Whittle writes. ONNX Runtime 1.19 and later take both. */
const OPSET = 21;
const IR_VERSION = 10;

export interface Constant {
  dims: readonly number[];
  data: TensorData;
}

/** An ONNX graph being built. Shapes are in ONNX's order and begin with -1, the batch. */
export class GraphBuilder {
  nodes: Node[] = [];
  readonly constants = new Map<string, Constant>();
  readonly shapes = new Map<string, readonly number[]>();
  readonly #elementTypes = new Map<string, number>();
  readonly inputs: ValueInfo[] = [];
  readonly outputs: ValueInfo[] = [];

  input(name: string, shape: readonly number[]): string {
    this.inputs.push(valueInfo(name, DataType.FLOAT, shape));
    this.shapes.set(name, shape);
    return name;
  }

  /** Adds a constant, once for a name. */
  constant(name: string, dims: readonly number[], data: TensorData): string {
    if (!this.constants.has(name)) this.constants.set(name, { dims, data });
    return name;
  }

  /** Adds a node with one output of the given shape, once for an output name. */
  emit(
    opType: string,
    inputs: string[],
    output: string,
    shape: readonly number[],
    attributes: Readonly<Record<string, AttributeValue>> = {},
  ): string {
    if (!this.shapes.has(output)) {
      this.nodes.push(node(opType, inputs, [output], attributes));
      this.shapes.set(output, shape);
    }
    return output;
  }

  /** Adds a Cast of a value to another element type. */
  cast(value: string, output: string, elementType: number): string {
    this.#elementTypes.set(output, elementType);
    return this.emit("Cast", [value], output, this.shapes.get(value) ?? [], { to: elementType });
  }

  /** Declares `value` as the graph's output `name`. */
  output(value: string, name: string): string {
    const shape = this.shapes.get(value) ?? [];
    this.emit("Identity", [value], name, shape);
    this.outputs.push(valueInfo(name, DataType.FLOAT, shape));
    return name;
  }

  build(): OnnxModel {
    this.#absorbIdentities();
    const used = new Set(this.nodes.flatMap((each) => each.input));
    const boundary = new Set([...this.inputs, ...this.outputs].map((each) => each.name));
    const produced = this.nodes.flatMap((each) => each.output).filter((name) => !boundary.has(name));
    return {
      irVersion: IR_VERSION,
      producerName: "whittle",
      opsetImport: [{ domain: "", version: OPSET }],
      graph: {
        name: "model",
        node: this.nodes,
        initializer: [...this.constants]
          .filter(([name]) => used.has(name))
          .map(([name, { dims, data }]) => tensor(name, dims, data)),
        input: this.inputs,
        output: this.outputs,
        valueInfo: produced.map((name) =>
          valueInfo(name, this.#elementTypes.get(name) ?? DataType.FLOAT, this.shapes.get(name) ?? []),
        ),
      },
    };
  }

  /** Gives the node before an output's Identity the output's name, where nothing else reads that node. */
  #absorbIdentities(): void {
    for (const identity of this.nodes.filter((each) => each.opType === "Identity")) {
      const [from = "", to = ""] = [identity.input[0], identity.output[0]];
      const producer = this.nodes.find((each) => each.output[0] === from);
      const readers = this.nodes.filter((each) => each.input.includes(from));
      if (!producer || readers.length > 1) continue;
      producer.output = [to];
      this.nodes = this.nodes.filter((each) => each !== identity);
    }
  }
}
