import type { Channels } from "../coupling.ts";

/** One use of a layer, as a rule sees it. Shapes are without the batch; null is a size that isn't known. */
export interface LayerUse {
  config: Readonly<Record<string, unknown>>;
  /** The channels along the last axis of each input. */
  inputs: readonly Channels[];
  inputShapes: readonly (readonly (number | null)[])[];
  outputShape: readonly (number | null)[];
  /** The channels along an axis of a weight: new ones at the layer's first use, and the same ones at the next. */
  produce(weight: string, axis: number): Channels;
  /** Says which channels an axis of a weight has; a weight that the layer does without is passed over. */
  bind(weight: string, axis: number, channels: Channels): void;
  /** Says that a field of the layer's configuration counts these channels. */
  resize(field: string, channels: Channels): void;
  couple(a: Channels, b: Channels): void;
}

/** Why all channels that reach a layer or leave it must stay. */
export interface Opaque {
  opaque: string;
}

/** Follows channels through a layer. @returns those along the last axis of its output. */
export type Rule = (use: LayerUse) => Channels | Opaque;

export const opaque = (reason: string): Opaque => ({ opaque: reason });

/** The first and often only input. */
export function firstInput({ inputs }: LayerUse): Channels {
  return inputs[0] ?? [];
}

/** An axis as the configuration gives it (a number or a list of one), counted without the batch; undefined where there are several. */
function axisOf({ config, inputShapes }: LayerUse): number | undefined {
  const [axis = -1, ...more] = [config["axis"] ?? -1].flat();
  if (typeof axis !== "number" || more.length > 0) return undefined;
  return axis < 0 ? axis + (inputShapes[0]?.length ?? 0) : axis - 1;
}

export function isLastAxis(use: LayerUse): boolean {
  return axisOf(use) === (use.inputShapes[0]?.length ?? 0) - 1;
}

/** The rule for layers that may also be set up with their channels first, which is not followed. */
export function channelsLast(rule: Rule): Rule {
  return (use) =>
    use.config["data_format"] === "channels_first" ? opaque("its data format is channels_first") : rule(use);
}

/** The rule for layers with an activation: a softmax compares all of its channels, so none may go. */
export function activated(rule: Rule): Rule {
  return (use) => {
    const output = rule(use);
    return use.config["activation"] === "softmax" ? opaque("softmax compares all of its channels") : output;
  };
}
