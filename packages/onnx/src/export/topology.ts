import { AppError, parse } from "@whittle/contracts";
import { z } from "zod";

/** A layer as the Keras topology describes it. */
export interface Layer {
  name: string;
  className: string;
  config: Record<string, unknown>;
}

/** One use of a layer: a layer that is shared between branches has several. `inputs` are ids of other calls. */
export interface LayerCall {
  id: string;
  layer: Layer;
  inputs: string[];
}

/** A model as a directed acyclic graph of layer calls. `inputs` and `outputs` are ids, in the model's order. */
export interface Topology {
  calls: Map<string, LayerCall>;
  inputs: string[];
  outputs: string[];
}

const layerConfig = z.record(z.string(), z.unknown());
const tensorReference = z.tuple([z.string(), z.int(), z.int()]).rest(z.unknown());
const sequentialLayer = z.object({ class_name: z.string(), config: layerConfig.and(z.object({ name: z.string() })) });
const functionalLayer = z.object({
  name: z.string(),
  class_name: z.string(),
  config: layerConfig,
  inbound_nodes: z.array(z.array(tensorReference)),
});
const sequential = z.object({ layers: z.array(sequentialLayer).min(1) });
const functional = z.object({
  layers: z.array(functionalLayer).min(1),
  input_layers: z.array(tensorReference),
  output_layers: z.array(tensorReference),
});
const model = z.object({ class_name: z.string(), config: z.unknown() });

function readSequential(value: unknown): Topology {
  const layers = parse(sequential, value, "The topology", "config").layers.map(({ class_name, config }) => ({
    name: config.name,
    className: class_name,
    config,
  }));
  const first = layers[0];
  if (first && first.className !== "InputLayer") {
    layers.unshift({ name: `${first.name}/input`, className: "InputLayer", config: first.config });
  }
  const calls = layers.map((layer, at) => ({
    id: layer.name,
    layer,
    inputs: layers.slice(Math.max(0, at - 1), at).map((each) => each.name),
  }));
  return {
    calls: new Map(calls.map((call) => [call.id, call])),
    inputs: layers.slice(0, 1).map((each) => each.name),
    outputs: layers.slice(-1).map((each) => each.name),
  };
}

const callId = ([layer, node]: readonly [string, number, ...unknown[]]) => (node === 0 ? layer : `${layer}:${node}`);

function readFunctional(value: unknown): Topology {
  const { layers, input_layers, output_layers } = parse(functional, value, "The topology", "config");
  const calls = layers.flatMap(({ name, class_name, config, inbound_nodes }) => {
    const layer = { name, className: class_name, config };
    const nodes = class_name === "InputLayer" ? [[]] : inbound_nodes;
    return nodes.map((inputs, at) => ({ id: callId([name, at]), layer, inputs: inputs.map(callId) }));
  });
  return {
    calls: new Map(calls.map((call) => [call.id, call])),
    inputs: input_layers.map(callId),
    outputs: output_layers.map(callId),
  };
}

/**
 * Reads the `modelTopology` of a tfjs model.json, as tfjs or its Keras converter writes it.
 * @throws AppError `invalid_request` when it is malformed, `unsupported` when it is neither Sequential nor functional.
 */
export function readTopology(value: unknown): Topology {
  const outer = parse(z.looseObject({ model_config: z.unknown().optional() }), value, "The topology");
  const { class_name, config } = parse(model, outer.model_config ?? outer, "The topology");
  if (class_name === "Sequential") return readSequential(config);
  if (class_name === "Model" || class_name === "Functional") return readFunctional(config);
  throw new AppError(
    "unsupported",
    `A model of class ${class_name} can't be exported; Sequential and functional models can.`,
  );
}

/** The calls that `outputs` need, each after its inputs. */
export function inOrder({ calls, outputs }: Topology): LayerCall[] {
  const ordered = new Map<string, LayerCall>();
  const visit = (id: string): void => {
    if (ordered.has(id)) return;
    const call = calls.get(id);
    if (!call) throw new AppError("invalid_request", `The topology refers to layer ${id}, which is not in it.`);
    call.inputs.forEach(visit);
    ordered.set(id, call);
  };
  outputs.forEach(visit);
  return [...ordered.values()];
}
