import { AppError, type Signature, type TensorSpec } from "@whittle/contracts";
import { z } from "zod";
import { encodeModel } from "../proto/model.ts";
import { foldBatchNorms } from "./fold-batch-norm.ts";
import { GraphBuilder } from "./graph-builder.ts";
import { unsupportedLayer, type Weight } from "./layer.ts";
import { layerConverters } from "./layers/index.ts";
import { inOrder, readTopology, type LayerCall } from "./topology.ts";
import { toPlain, type Value } from "./value.ts";

export interface ExportOptions {
  /** `modelTopology` of a tfjs model.json: a Sequential or functional model. */
  topology: unknown;
  /** Every weight by its name in the tfjs weight manifest: `dense_Dense1/kernel`. */
  weights: Readonly<Record<string, Weight>>;
  /** Names and shapes of inputs and outputs, in the model's order; tensors keep tfjs' layout (images [N, H, W, C]). */
  signature: Signature;
}

const inputShape = z.object({ batch_input_shape: z.array(z.int().nullable()).min(2) });

function fixedShape({ layer }: LayerCall): number[] {
  const parsed = inputShape.safeParse(layer.config);
  const shape = parsed.data?.batch_input_shape.slice(1) ?? [];
  if (!parsed.success || shape.includes(null)) {
    throw unsupportedLayer(layer, "every size of its input but the batch must be fixed.");
  }
  return shape.map(Number);
}

function checkSpec(spec: TensorSpec | undefined, shape: readonly number[], path: string): string {
  const expected = `FP32 [-1, ${shape.join(", ")}]`;
  if (spec?.datatype === "FP32" && spec.shape.slice(1).join() === shape.join()) return spec.name;
  const message = spec
    ? `is ${spec.datatype} [${spec.shape.join(", ")}], must be ${expected}`
    : `is missing, must be ${expected}`;
  throw new AppError("invalid_request", `The signature does not fit the model: ${path} ${message}.`, {
    issues: [{ path, message }],
  });
}

function findWeight(weights: ExportOptions["weights"], name: string): Weight {
  const found = weights[name];
  if (found) return found;
  throw new AppError("invalid_request", `Weight ${name} is missing.`, {
    issues: [{ path: `weights.${name}`, message: "must be there: the topology has a layer with it" }],
  });
}

function convert(graph: GraphBuilder, call: LayerCall, inputs: Value[], weights: ExportOptions["weights"]): Value {
  const { layer, id } = call;
  const converter = layerConverters.get(layer.className);
  const [input] = inputs;
  if (!converter) throw unsupportedLayer(layer, `its class is not one of ${[...layerConverters.keys()].join(", ")}.`);
  if (!input) throw unsupportedLayer(layer, "it has no input.");
  return converter({ graph, id, layer, input, inputs, weight: (name) => findWeight(weights, `${layer.name}/${name}`) });
}

function checkCount(what: "inputs" | "outputs", signature: Signature, count: number): void {
  if (signature[what].length === count) return;
  const message = `has ${signature[what].length}, must have ${count}`;
  throw new AppError("invalid_request", `The signature does not fit the model: ${what} ${message}.`, {
    issues: [{ path: `signature.${what}`, message }],
  });
}

/** An exported model, and where in its graph the layers' outputs are. */
export interface TracedExport {
  model: Uint8Array<ArrayBuffer>;
  /** The tensor that each layer call gives, by the call's id; none where it was folded into another. */
  tensors: ReadonlyMap<string, string>;
}

/**
 * Writes a tfjs model as ONNX (opset 21). Convolutions run channels-first inside, behind one Transpose of the input; batch
 * normalization is folded into the layer before it where there is one; layers that only act in training are left out.
 * The same model always gives the same bytes.
 * @throws AppError `unsupported` naming the layer that can't be written, `invalid_request` for a weight that is missing or a signature
 *   that does not fit.
 */
export function exportOnnx(options: ExportOptions): Uint8Array<ArrayBuffer> {
  return exportTraced(options).model;
}

/** The same, and where the layers' outputs are. */
export function exportTraced({ topology, weights, signature }: ExportOptions): TracedExport {
  const model = readTopology(topology);
  checkCount("inputs", signature, model.inputs.length);
  checkCount("outputs", signature, model.outputs.length);
  const graph = new GraphBuilder();
  const values = new Map<string, Value>();
  model.inputs.forEach((id, at) => {
    const call = model.calls.get(id);
    if (!call) throw new AppError("invalid_request", `The topology refers to layer ${id}, which is not in it.`);
    const shape = fixedShape(call);
    const name = graph.input(checkSpec(signature.inputs[at], shape, `signature.inputs.${at}`), [-1, ...shape]);
    values.set(id, { name, shape, layout: "plain" });
  });
  for (const call of inOrder(model)) {
    if (values.has(call.id)) continue;
    const inputs = call.inputs.flatMap((id) => values.get(id) ?? []);
    values.set(call.id, convert(graph, call, inputs, weights));
  }
  const outputNames = new Map<string, string>();
  model.outputs.forEach((id, at) => {
    const value = values.get(id);
    if (!value) return;
    const name = checkSpec(signature.outputs[at], value.shape, `signature.outputs.${at}`);
    outputNames.set(id, graph.output(toPlain(graph, value).name, name));
  });
  foldBatchNorms(graph);
  const built = graph.build();
  const written = new Set([
    ...built.graph.input.map(({ name }) => name),
    ...built.graph.node.flatMap(({ output }) => output),
  ]);
  const tensors = [...values].flatMap(([id, { name }]) => {
    const tensor = written.has(name) ? name : outputNames.get(id);
    return tensor === undefined ? [] : [[id, tensor] as const];
  });
  return { model: encodeModel(built), tensors: new Map(tensors) };
}
