import type { Node, OnnxModel, Tensor, ValueInfo } from "../proto/model.ts";
import { node, type AttributeValue } from "../proto/node.ts";
import { tensor, type TensorData } from "../proto/tensor.ts";

const MICROSOFT = "com.microsoft";

/** The nodes and constants of a graph that takes the place of another one with the same inputs and outputs. */
export class GraphEditor {
  readonly nodes: Node[] = [];
  readonly #constants = new Map<string, Tensor>();
  readonly #declared: ValueInfo[] = [];

  /** Adds a constant, once for a name. */
  constant(name: string, dims: readonly number[], data: TensorData): string {
    if (!this.#constants.has(name)) this.#constants.set(name, tensor(name, dims, data));
    return name;
  }

  /** Adds a node with one output, once for an output name. */
  emit(
    opType: string,
    inputs: string[],
    output: string,
    attributes: Readonly<Record<string, AttributeValue>> = {},
  ): string {
    // Without a name of its own, which would only say again what its output's says.
    if (!this.has(output)) this.nodes.push({ ...node(opType, inputs, [output], attributes), name: "" });
    return output;
  }

  /** The same for an operator that ONNX Runtime has beside the standard's. */
  emitContributed(
    opType: string,
    inputs: string[],
    output: string,
    attributes: Readonly<Record<string, AttributeValue>> = {},
  ): string {
    this.nodes.push({ ...node(opType, inputs, [output], attributes), domain: MICROSOFT });
    return output;
  }

  has(output: string): boolean {
    return this.nodes.some((each) => each.output.includes(output));
  }

  /** Declares type and shape of a tensor. */
  declare(value: ValueInfo): void {
    this.#declared.push(value);
  }

  /** The model with these nodes, the constants that it had and they still read, and the new ones. */
  build(model: OnnxModel): OnnxModel {
    const { graph } = model;
    const used = new Set(this.nodes.flatMap(({ input }) => input));
    const kept = graph.initializer.filter(({ name }) => used.has(name) && !this.#constants.has(name));
    const produced = new Set(this.nodes.flatMap(({ output }) => output));
    const contributed = this.nodes.some(({ domain }) => domain === MICROSOFT);
    const opsets = model.opsetImport.filter(({ domain }) => domain !== MICROSOFT);
    return {
      ...model,
      opsetImport: contributed ? [...opsets, { domain: MICROSOFT, version: 1 }] : opsets,
      graph: {
        ...graph,
        node: this.nodes,
        initializer: [...kept, ...this.#constants.values()],
        valueInfo: [...graph.valueInfo.filter(({ name }) => produced.has(name)), ...this.#declared],
      },
    };
  }
}
