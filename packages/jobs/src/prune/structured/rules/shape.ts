import type { Channels } from "../coupling.ts";
import { channelsLast, firstInput, opaque, type LayerUse, type Opaque, type Rule } from "./rule.ts";

/**
 * Reads the same numbers, in row-major order, with another size of the last axis: position p is channel p mod `from` before and p mod
 * `to` after. Where `to` is k times `from`, each channel comes k times; where `from` is k times `to`, k channels become one and are
 * coupled. Otherwise a channel's positions don't stay together.
 */
function regroup(use: LayerUse): Channels | Opaque {
  const channels = firstInput(use);
  const [from, to] = [channels.length, use.outputShape.at(-1) ?? 0];
  if (to > 0 && to % from === 0) return Array.from({ length: to }, (_, at) => channels[at % from] ?? 0);
  if (to > 0 && from % to === 0) {
    const outputs = channels.slice(0, to);
    use.couple(
      channels,
      channels.map((_, at) => outputs[at % to] ?? 0),
    );
    return outputs;
  }
  return opaque(`it makes ${to} channels of ${from}`);
}

const reshape: Rule = (use) => {
  const channels = regroup(use);
  if (!("opaque" in channels)) use.resize("target_shape", channels);
  return channels;
};

/** Orders the axes anew; `dims` counts them from 1. */
const permute: Rule = (use) => {
  const dims = [use.config["dims"]].flat();
  return dims.at(-1) === dims.length ? firstInput(use) : opaque("it moves the axis of the channels");
};

export const shapeRules: Record<string, Rule> = {
  Flatten: channelsLast(regroup),
  Reshape: reshape,
  Permute: permute,
};
