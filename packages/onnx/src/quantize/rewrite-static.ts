import type { Node, OnnxModel } from "../proto/model.ts";
import { node } from "../proto/node.ts";
import type { QuantParams } from "./affine.ts";
import { GraphEditor } from "./graph-editor.ts";
import { channelAxis, type QuantizationPlan, type QuantizedLayer } from "./plan.ts";
import { emitIntegers, type PreparedLayer } from "./prepared.ts";
import { quantizeBias } from "./weights.ts";

/** Rewrites a float graph with QuantizeLinear and DequantizeLinear around everything that the plan names. */
export function rewriteStatic(
  model: OnnxModel,
  plan: QuantizationPlan,
  params: ReadonlyMap<string, QuantParams>,
  layers: readonly PreparedLayer[],
): OnnxModel {
  return new QdqRewriter(plan, params).rewrite(model, layers);
}

/** The scale of what a layer reads. */
export function inputScale(
  plan: QuantizationPlan,
  params: ReadonlyMap<string, QuantParams>,
  layer: QuantizedLayer,
): number {
  return params.get(plan.activations.get(layer.node.input[0] ?? "") ?? "")?.scale ?? 1;
}

class QdqRewriter {
  readonly #plan: QuantizationPlan;
  readonly #params: ReadonlyMap<string, QuantParams>;
  readonly #editor = new GraphEditor();
  #outputs: ReadonlySet<string> = new Set();

  constructor(plan: QuantizationPlan, params: ReadonlyMap<string, QuantParams>) {
    this.#plan = plan;
    this.#params = params;
  }

  rewrite(model: OnnxModel, prepared: readonly PreparedLayer[]): OnnxModel {
    const { graph } = model;
    this.#outputs = new Set(graph.output.map(({ name }) => name));
    const layers = new Map(prepared.map((each) => [each.layer.node, each]));
    for (const { name } of graph.input) this.#roundTrip(name);
    for (const each of graph.node) this.#add(each, layers.get(each));
    return this.#editor.build(model);
  }

  #add(from: Node, prepared: PreparedLayer | undefined): void {
    const copy = { ...from, input: from.input.map((name) => this.#read(name)) };
    if (prepared) {
      copy.input[1] = this.#dequantizedWeight(prepared);
      if (prepared.bias) copy.input[2] = this.#dequantizedBias(prepared, prepared.bias);
    }
    copy.output = from.output.map((name) => this.#written(name));
    this.#editor.nodes.push(copy);
    from.output.forEach((name) => this.#roundTrip(name));
  }

  /** Where the float value of a tensor is read. */
  #read(name: string): string {
    return this.#plan.activations.has(name) && !this.#outputs.has(name) ? `${name}/dq` : name;
  }

  /** Where a node writes a tensor: an output of the graph that is quantized keeps its name behind DequantizeLinear. */
  #written(name: string): string {
    return this.#plan.activations.has(name) && this.#outputs.has(name) ? `${name}/float` : name;
  }

  /** QuantizeLinear and DequantizeLinear of a planned activation; those that share parameters share the constants. */
  #roundTrip(name: string): void {
    const group = this.#plan.activations.get(name);
    const params = this.#params.get(group ?? "");
    if (group === undefined || !params) return;
    const scale = this.#editor.constant(`${group}/scale`, [], Float32Array.of(params.scale));
    const zero = this.#editor.constant(`${group}/zero`, [], Uint8Array.of(params.zeroPoint));
    this.#editor.nodes.push(node("QuantizeLinear", [this.#written(name), scale, zero], [`${name}/q`]));
    this.#editor.nodes.push(node("DequantizeLinear", [`${name}/q`, scale, zero], [this.#read(name)]));
  }

  #dequantizedWeight(prepared: PreparedLayer): string {
    const { name } = prepared.layer.weight;
    const { scales, zeroPoints } = prepared.weights;
    const perTensor = scales.length === 1;
    const dims = perTensor ? [] : [scales.length];
    const inputs = [
      emitIntegers(this.#editor, prepared, "int8"),
      this.#editor.constant(`${name}/scale`, dims, scales),
      this.#editor.constant(`${name}/zero`, dims, zeroPoints),
    ];
    const axis = channelAxis(prepared.layer);
    return this.#editor.emit("DequantizeLinear", inputs, `${name}/dq`, perTensor ? {} : { axis });
  }

  #dequantizedBias({ layer, weights }: PreparedLayer, bias: Float32Array): string {
    const name = `${layer.node.output[0]}/bias`;
    const { values, scales } = quantizeBias(bias, inputScale(this.#plan, this.#params, layer), weights.scales);
    const dims = scales.length === 1 ? [] : [scales.length];
    const inputs = [
      this.#editor.constant(`${name}/q`, [values.length], values),
      this.#editor.constant(`${name}/scale`, dims, scales),
    ];
    return this.#editor.emit("DequantizeLinear", inputs, `${name}/dq`, scales.length === 1 ? {} : { axis: 0 });
  }
}
