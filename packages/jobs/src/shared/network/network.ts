import { assignWeights, modelWeights, tf, type ModelWeights } from "@whittle/engine";
import { inOrder, readTopology, type LayerCall, type Topology } from "@whittle/onnx";

/** A model that can be rewritten: its layer calls, each after its inputs, and its weights by their names in the weight manifest. */
export interface Network {
  calls: LayerCall[];
  inputs: string[];
  outputs: string[];
  weights: ModelWeights;
}

export function networkOf(model: tf.LayersModel): Network {
  const topology: Topology = readTopology(model.toJSON(undefined, false));
  const { inputs, outputs } = topology;
  return { calls: inOrder(topology), inputs, outputs, weights: modelWeights(model) };
}

/** Layers with a kernel whose last axes are their output channels. */
const kernels: Record<string, string> = {
  Conv1D: "kernel",
  Conv2D: "kernel",
  Dense: "kernel",
  DepthwiseConv2D: "depthwise_kernel",
};

/** The kernel of a convolution or a dense layer by its name in the weight manifest; undefined for other layers. */
export function kernelOf(layer: string, className: string): string | undefined {
  const kernel = kernels[className];
  return kernel && `${layer}/${kernel}`;
}

/** The network with a layer of one input after some of the calls; what reads those, reads it. */
export function insertAfter(network: Network, added: ReadonlyMap<string, LayerCall["layer"]>): Network {
  const moved = (id: string) => added.get(id)?.name ?? id;
  const calls = network.calls.flatMap((call) => {
    const layer = added.get(call.id);
    const own = { ...call, inputs: call.inputs.map(moved) };
    return layer ? [own, { id: layer.name, layer, inputs: [call.id] }] : [own];
  });
  return { ...network, calls, outputs: network.outputs.map(moved) };
}

/** The network without some of its calls; what reads them, reads what they read. */
export function without(network: Network, removed: ReadonlySet<LayerCall>): Network {
  const passed = new Map([...removed].map(({ id, inputs: [input = id] }) => [id, input]));
  const kept = (id: string): string => (passed.has(id) ? kept(passed.get(id) ?? id) : id);
  const calls = network.calls.filter((call) => !removed.has(call));
  return {
    ...network,
    calls: calls.map((call) => ({ ...call, inputs: call.inputs.map(kept) })),
    outputs: network.outputs.map(kept),
  };
}

/** The network with a layer of its own for each activation function of a convolution or a dense layer, as ONNX has it. */
export function separateActivations(network: Network): Network {
  const added = new Map<string, LayerCall["layer"]>();
  const calls = network.calls.map((call) => {
    const { name, className, config } = call.layer;
    const activation = config["activation"] ?? "linear";
    if (kernelOf(name, className) === undefined || activation === "linear") return call;
    const own = `${call.id.replaceAll(":", "_")}_activation`;
    added.set(call.id, { name: own, className: "Activation", config: { name: own, activation } });
    return { ...call, layer: { ...call.layer, config: { ...config, activation: "linear" } } };
  });
  return insertAfter({ ...network, calls }, added);
}

/** `modelTopology` of a functional model, as tfjs writes it. */
export function topologyOf({ calls, inputs, outputs }: Network): tf.io.ModelArtifacts["modelTopology"] {
  const layers = new Map<string, LayerCall[]>();
  for (const call of calls) layers.set(call.layer.name, [...(layers.get(call.layer.name) ?? []), call]);
  const places = new Map(
    [...layers.values()].flatMap((uses) => uses.map(({ id, layer }, at) => [id, [layer.name, at]])),
  );
  const reference = (id: string) => [...(places.get(id) ?? [id, 0]), 0];
  return {
    class_name: "Model",
    config: {
      name: "model",
      layers: [...layers.values()].map((uses) => describeLayer(uses, reference)),
      input_layers: inputs.map(reference),
      output_layers: outputs.map(reference),
    },
  };
}

function describeLayer([first, ...others]: LayerCall[], reference: (id: string) => unknown[]) {
  const { name, className, config } = first?.layer ?? { name: "", className: "", config: {} };
  // The first layer of a Sequential model stands for its input too.
  const own = className === "InputLayer" ? { batch_input_shape: config["batch_input_shape"] } : config;
  const uses = className === "InputLayer" || !first ? [] : [first, ...others];
  return {
    name,
    class_name: className,
    config: { ...own, name },
    inbound_nodes: uses.map(({ inputs }) => inputs.map((id) => [...reference(id), {}])),
  };
}

/** The network as a model. The caller disposes it. @param weights of its layers; the others begin as their layers make them */
export async function buildNetwork(network: Network): Promise<tf.LayersModel> {
  const modelTopology = topologyOf(network);
  const model = await tf.loadLayersModel(tf.io.fromMemory({ ...(modelTopology && { modelTopology }) }));
  assignWeights(model, { ...modelWeights(model), ...network.weights });
  return model;
}
