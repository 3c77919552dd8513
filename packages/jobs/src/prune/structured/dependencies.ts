import { modelWeights, type tf } from "@whittle/engine";
import { inOrder, readTopology, type LayerCall, type Topology } from "@whittle/onnx";
import { z } from "zod";
import { Coupling, type Channels } from "./coupling.ts";
import { rules } from "./rules/index.ts";
import type { LayerUse } from "./rules/rule.ts";

/** An axis of a weight, which has a slice for each channel. */
export interface WeightAxis {
  weight: string;
  axis: number;
}

/** Channels that have their slices along the same axes of the same weights, so that they can be compared. */
export interface Group {
  /** Names the axes, and stays the same when channels are removed. */
  key: string;
  /** Layers that give these channels. */
  layers: string[];
  axes: WeightAxis[];
  /** Each stands for all the channels that are coupled to it and go with it. */
  channels: number[];
}

/** A field of a layer's configuration that counts channels. */
export interface Size {
  layer: string;
  field: string;
  channels: Channels;
}

/** What goes together when channels are removed from a model, and where. */
export interface Dependencies {
  groups: Group[];
  sizes: Size[];
  /** For each weight the channels along those of its axes that have some. */
  axes: ReadonlyMap<string, ReadonlyMap<number, Channels>>;
  /** Layers around which nothing can be removed. */
  opaque: { layer: string; reason: string }[];
}

/**
 * Finds which channels of a model depend on each other, from its topology alone (the dependency graph of Fang et al., DepGraph,
 * arXiv 2301.12900). Channels are followed from the layers that make them to those that read them; what a residual connection, a
 * depthwise convolution or a layer used twice ties together is coupled. Those of the model's inputs and outputs stay, and so do those
 * that reach or leave a layer without a rule.
 */
export function dependenciesOf(model: tf.LayersModel): Dependencies {
  const topology = readTopology(model.toJSON(undefined, false));
  const tracer = new Tracer(model, topology);
  for (const call of inOrder(topology)) tracer.follow(call);
  return tracer.result();
}

const batchShape = z.object({ batch_input_shape: z.array(z.int().nullable()) });

class Tracer {
  readonly #coupling = new Coupling();
  readonly #values = new Map<string, Channels>();
  readonly #axes = new Map<string, Map<number, Channels>>();
  readonly #sizes = new Map<string, Size>();
  readonly #opaque = new Map<string, string>();
  readonly #shapes: ReadonlyMap<string, readonly number[]>;
  readonly #model: tf.LayersModel;
  readonly #topology: Topology;

  constructor(model: tf.LayersModel, topology: Topology) {
    this.#model = model;
    this.#topology = topology;
    this.#shapes = new Map(Object.entries(modelWeights(model)).map(([name, { shape }]) => [name, shape]));
  }

  follow(call: LayerCall): void {
    this.#values.set(call.id, call.layer.className === "InputLayer" ? this.#fixed(call) : this.#through(call));
  }

  result(): Dependencies {
    for (const id of this.#topology.outputs) this.#coupling.fix(this.#values.get(id) ?? []);
    for (const layer of this.#opaque.keys()) this.#fixWeights(layer);
    const roots = (channels: Channels) => channels.map((channel) => this.#coupling.root(channel));
    const axes = [...this.#axes].map(
      ([weight, bound]) => [weight, new Map([...bound].map(([axis, channels]) => [axis, roots(channels)]))] as const,
    );
    const sizes = [...this.#sizes.values()].map((size) => ({ ...size, channels: roots(size.channels) }));
    const isFree = (root: number) => !this.#coupling.isFixed(root);
    const opaque = [...this.#opaque].map(([layer, reason]) => ({ layer, reason }));
    return { axes: new Map(axes), sizes, opaque, groups: groupsOf(axes, sizes, isFree) };
  }

  #through(call: LayerCall): Channels {
    const { name, className } = call.layer;
    const rule = rules.get(className);
    const output = rule ? rule(this.#useOf(call)) : { opaque: `the class ${className} is not known` };
    if (!("opaque" in output)) return output;
    this.#opaque.set(name, output.opaque);
    for (const id of call.inputs) this.#coupling.fix(this.#values.get(id) ?? []);
    return this.#fixed(call);
  }

  #useOf(call: LayerCall): LayerUse {
    const { name, config } = call.layer;
    return {
      config,
      inputs: call.inputs.map((id) => this.#values.get(id) ?? []),
      inputShapes: call.inputs.map((id) => this.#shapeOf(this.#topology.calls.get(id))),
      outputShape: this.#shapeOf(call),
      produce: (weight, axis) => this.#produce(`${name}/${weight}`, axis),
      bind: (weight, axis, channels) => this.#bind(`${name}/${weight}`, axis, channels),
      resize: (field, channels) => this.#sizes.set(`${name}/${field}`, { layer: name, field, channels }),
      couple: (a, b) => this.#coupling.couple(a, b),
    };
  }

  #produce(weight: string, axis: number): Channels {
    const known = this.#axes.get(weight)?.get(axis);
    if (known) return known;
    const channels = this.#coupling.create(this.#shapes.get(weight)?.[axis] ?? 0);
    this.#bind(weight, axis, channels);
    return channels;
  }

  #bind(weight: string, axis: number, channels: Channels): void {
    if (!this.#shapes.has(weight)) return;
    const bound = this.#axes.get(weight) ?? new Map<number, Channels>();
    this.#axes.set(weight, bound);
    const known = bound.get(axis);
    if (known) this.#coupling.couple(known, channels);
    else bound.set(axis, channels);
  }

  #fixed(call: LayerCall): Channels {
    const channels = this.#coupling.create(this.#shapeOf(call).at(-1) ?? 0);
    this.#coupling.fix(channels);
    return channels;
  }

  /** What an opaque layer has bound at another of its uses. */
  #fixWeights(layer: string): void {
    for (const [weight, bound] of this.#axes) {
      if (!weight.startsWith(`${layer}/`)) continue;
      for (const channels of bound.values()) this.#coupling.fix(channels);
    }
  }

  /** Without the batch. */
  #shapeOf(call: LayerCall | undefined): readonly (number | null)[] {
    if (!call) return [];
    const { name, className, config } = call.layer;
    if (className === "InputLayer") return batchShape.parse(config).batch_input_shape.slice(1);
    const use = call.id === name ? 0 : Number(call.id.slice(name.length + 1));
    const layer = this.#model.layers.find((each) => each.name === name);
    return [layer?.getOutputAt(use) ?? []].flat()[0]?.shape.slice(1) ?? [];
  }
}

function groupsOf(
  axes: (readonly [weight: string, ReadonlyMap<number, Channels>])[],
  sizes: Size[],
  isFree: (root: number) => boolean,
): Group[] {
  const places = new Map<number, Set<WeightAxis>>();
  for (const [weight, bound] of axes) {
    for (const [axis, channels] of bound) {
      const place = { weight, axis };
      for (const root of channels.filter(isFree)) places.set(root, (places.get(root) ?? new Set()).add(place));
    }
  }
  const groups = new Map<string, Group>();
  for (const [root, found] of places) {
    const where = [...found];
    const key = where.map(({ weight, axis }) => `${weight}:${axis}`).join(" ");
    const group = groups.get(key) ?? { key, layers: layersOf(root, sizes), axes: where, channels: [] };
    group.channels.push(root);
    groups.set(key, group);
  }
  return [...groups.values()];
}

function layersOf(root: number, sizes: Size[]): string[] {
  const giving = sizes.filter(({ field, channels }) => field !== "target_shape" && channels.includes(root));
  return giving.map(({ layer }) => layer);
}
