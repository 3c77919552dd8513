import { assignWeights, modelWeights, tf, type ModelWeights, type WeightData } from "@whittle/engine";
import { z } from "zod";
import type { Channels } from "./coupling.ts";
import type { Dependencies, Size } from "./dependencies.ts";

const topology = z.looseObject({
  config: z.looseObject({
    layers: z.array(z.looseObject({ config: z.looseObject({ name: z.string() }) })),
  }),
});

/**
 * A new model without the removed channels: its layers are smaller, and its weights are slices of the old ones. It gives what the old
 * model gives when the removed channels are zero. The caller disposes both.
 */
export async function withoutChannels(
  model: tf.LayersModel,
  { axes, sizes }: Dependencies,
  removed: ReadonlySet<number>,
): Promise<tf.LayersModel> {
  const modelTopology = topology.parse(model.toJSON(undefined, false));
  const kept = (channels: Channels) => channels.flatMap((channel, at) => (removed.has(channel) ? [] : [at]));
  for (const size of sizes) resize(modelTopology, size, kept(size.channels).length);
  const smaller = await tf.loadLayersModel(tf.io.fromMemory({ modelTopology }));
  const sliced: ModelWeights = {};
  for (const [name, weight] of Object.entries(modelWeights(model))) {
    sliced[name] = [...(axes.get(name) ?? [])].reduce(
      (rest, [axis, channels]) => take(rest, axis, kept(channels)),
      weight,
    );
  }
  assignWeights(smaller, sliced);
  return smaller;
}

function resize({ config: { layers } }: z.infer<typeof topology>, { layer, field }: Size, count: number): void {
  const config = layers.find((each) => each.config.name === layer)?.config;
  if (!config) return;
  const value = config[field];
  // The last size of a shape; -1 follows from the others.
  if (Array.isArray(value)) config[field] = value.at(-1) === -1 ? value : [...value.slice(0, -1), count];
  else config[field] = count;
}

/** The slices of a weight at these positions of an axis. */
function take({ shape, data }: WeightData, axis: number, positions: number[]): WeightData {
  const size = shape[axis] ?? 1;
  if (positions.length === size) return { shape, data };
  const inner = shape.slice(axis + 1).reduce((product, each) => product * each, 1);
  const outer = data.length / (size * inner);
  const taken = new Float32Array(outer * positions.length * inner);
  let to = 0;
  for (let block = 0; block < outer; block++) {
    for (const position of positions) {
      const from = (block * size + position) * inner;
      taken.set(data.subarray(from, from + inner), to);
      to += inner;
    }
  }
  return { shape: shape.with(axis, positions.length), data: taken };
}
