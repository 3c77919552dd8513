import { z } from "zod";
import { unsupportedLayer } from "../layer.ts";
import type { Layer } from "../topology.ts";

const pair = z.union([z.int().positive(), z.tuple([z.int().positive(), z.int().positive()])]);
/** A size in both directions, or [vertical, horizontal]. */
export const sizePair = pair.transform((size): [number, number] => (typeof size === "number" ? [size, size] : size));

/** What convolutions and pools configure alike. */
export const windowConfig = z.object({
  padding: z.enum(["same", "valid"]),
  strides: sizePair,
  data_format: z.string().nullish(),
});

export interface Window {
  /** ONNX attributes: strides and pads. */
  attributes: Record<string, number[]>;
  /** Height and width of what comes out. */
  size: [number, number];
}

/** @throws AppError `unsupported` for a layer that takes its channels first. */
export function checkChannelsLast(layer: Layer, { data_format }: { data_format?: string | null | undefined }): void {
  if (data_format?.replaceAll("_", "").toLowerCase() !== "channelsfirst") return;
  throw unsupportedLayer(layer, "its data_format is channels_first; channels_last is exported.");
}

/**
 * Lays a sliding window over an image. "same" pads as TensorFlow does: outputs = ceil(size / stride), and where the padding is odd, the
 * larger part is at the end.
 */
export function slide(
  layer: Layer,
  shape: readonly number[],
  kernel: readonly [number, number],
  config: z.output<typeof windowConfig>,
): Window {
  checkChannelsLast(layer, config);
  const { padding, strides } = config;
  const axes = ([0, 1] as const).map((axis) => {
    const [size = 0, extent, stride] = [shape[axis], kernel[axis], strides[axis]];
    if (padding === "valid") return { out: Math.floor((size - extent) / stride) + 1, before: 0, after: 0 };
    const out = Math.ceil(size / stride);
    const total = Math.max(0, (out - 1) * stride + extent - size);
    return { out, before: Math.floor(total / 2), after: Math.ceil(total / 2) };
  });
  const pads = [...axes.map((axis) => axis.before), ...axes.map((axis) => axis.after)];
  const [height, width] = axes;
  return { attributes: { strides, pads }, size: [height?.out ?? 0, width?.out ?? 0] };
}
