import type { Node, OnnxModel, Tensor } from "../proto/model.ts";
import { node } from "../proto/node.ts";
import { floatData, tensor } from "../proto/tensor.ts";
import type { QuantParams } from "./affine.ts";
import type { QuantizationPlan, QuantizedLayer } from "./plan.ts";
import { quantizeBias, quantizeWeights, type QuantizedWeights, type WeightScheme } from "./weights.ts";

export interface RewrittenModel {
  model: OnnxModel;
  /** The quantized weights of each of the plan's layers. */
  weights: QuantizedWeights[];
}

const INT32_MAX = 2 ** 31 - 1;

/** Rewrites a float graph with QuantizeLinear and DequantizeLinear around everything that the plan names. */
export function rewriteAsQdq(
  model: OnnxModel,
  plan: QuantizationPlan,
  activationParams: ReadonlyMap<string, QuantParams>,
  scheme: WeightScheme,
): RewrittenModel {
  const rewriter = new QdqRewriter(plan, activationParams, scheme);
  return rewriter.rewrite(model);
}

class QdqRewriter {
  readonly #plan: QuantizationPlan;
  readonly #params: ReadonlyMap<string, QuantParams>;
  readonly #scheme: WeightScheme;
  readonly #nodes: Node[] = [];
  readonly #constants = new Map<string, Tensor>();
  readonly #weights = new Map<string, QuantizedWeights>();
  #outputs: ReadonlySet<string> = new Set();

  constructor(plan: QuantizationPlan, params: ReadonlyMap<string, QuantParams>, scheme: WeightScheme) {
    this.#plan = plan;
    this.#params = params;
    this.#scheme = scheme;
  }

  rewrite(model: OnnxModel): RewrittenModel {
    const { graph } = model;
    this.#outputs = new Set(graph.output.map(({ name }) => name));
    const layers = new Map(this.#plan.layers.map((layer) => [layer.node, layer]));
    for (const { name } of graph.input) this.#roundTrip(name);
    for (const each of graph.node) this.#add(each, layers.get(each));
    const used = new Set(this.#nodes.flatMap(({ input }) => input));
    const kept = graph.initializer.filter(({ name }) => used.has(name));
    const initializer = [...kept, ...this.#constants.values()];
    return {
      model: { ...model, graph: { ...graph, node: this.#nodes, initializer } },
      weights: this.#plan.layers.flatMap(({ weight }) => this.#weights.get(weight.name) ?? []),
    };
  }

  #add(from: Node, layer: QuantizedLayer | undefined): void {
    const copy = { ...from, input: from.input.map((name) => this.#read(name)) };
    if (layer) {
      copy.input[1] = this.#dequantizedWeight(layer);
      if (layer.bias) copy.input[2] = this.#dequantizedBias(layer, layer.bias);
    }
    copy.output = from.output.map((name) => this.#written(name));
    this.#nodes.push(copy);
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
    const scale = this.#constant(`${group}/scale`, [], Float32Array.of(params.scale));
    const zero = this.#constant(`${group}/zero`, [], Uint8Array.of(params.zeroPoint));
    this.#nodes.push(node("QuantizeLinear", [this.#written(name), scale, zero], [`${name}/q`]));
    this.#nodes.push(node("DequantizeLinear", [`${name}/q`, scale, zero], [this.#read(name)]));
  }

  #constant(name: string, dims: readonly number[], data: Parameters<typeof tensor>[2]): string {
    this.#constants.set(name, tensor(name, dims, data));
    return name;
  }

  #inputScale({ node: { input } }: QuantizedLayer): number {
    const group = this.#plan.activations.get(input[0] ?? "");
    return this.#params.get(group ?? "")?.scale ?? 1;
  }

  #quantizedWeight(layer: QuantizedLayer): QuantizedWeights {
    const { weight, channels, axis } = layer;
    const known = this.#weights.get(weight.name);
    if (known) return known;
    const sharing = this.#plan.layers.filter((each) => each.weight === weight);
    const minScales = Array.from({ length: channels }, (_none, c) =>
      Math.max(
        ...sharing.map((each) => {
          const bias = each.bias ? (floatData(each.bias)[c] ?? 0) : 0;
          return Math.abs(bias) / (this.#inputScale(each) * INT32_MAX);
        }),
      ),
    );
    const quantized = quantizeWeights(floatData(weight), { channels, axis }, this.#scheme, minScales);
    this.#weights.set(weight.name, quantized);
    return quantized;
  }

  #dequantizedWeight(layer: QuantizedLayer): string {
    const { weight, axis } = layer;
    const name = weight.name;
    if (!this.#weights.has(name)) {
      const { values, scales, zeroPoints } = this.#quantizedWeight(layer);
      const dims = scales.length === 1 ? [] : [scales.length];
      const inputs = [
        this.#constant(`${name}/q`, weight.dims, values),
        this.#constant(`${name}/scale`, dims, scales),
        this.#constant(`${name}/zero`, dims, zeroPoints),
      ];
      const along = axis === "first" ? 0 : weight.dims.length - 1;
      this.#nodes.push(node("DequantizeLinear", inputs, [`${name}/dq`], scales.length === 1 ? {} : { axis: along }));
    }
    return `${name}/dq`;
  }

  #dequantizedBias(layer: QuantizedLayer, bias: Tensor): string {
    const name = `${layer.node.output[0]}/bias`;
    const { scales: weightScales } = this.#quantizedWeight(layer);
    const { values, scales } = quantizeBias(floatData(bias), this.#inputScale(layer), weightScales);
    const dims = scales.length === 1 ? [] : [scales.length];
    const inputs = [
      this.#constant(`${name}/q`, [values.length], values),
      this.#constant(`${name}/scale`, dims, scales),
    ];
    this.#nodes.push(node("DequantizeLinear", inputs, [`${name}/dq`], scales.length === 1 ? {} : { axis: 0 }));
    return `${name}/dq`;
  }
}
