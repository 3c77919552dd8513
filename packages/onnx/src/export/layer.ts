import { AppError, parse } from "@whittle/contracts";
import type { z } from "zod";
import type { GraphBuilder } from "./graph-builder.ts";
import type { Layer } from "./topology.ts";
import type { Value } from "./value.ts";

/** A weight tensor of a tfjs model, row-major. */
export interface Weight {
  shape: readonly number[];
  data: Float32Array;
}

/** What a converter works on. `id` is unique in the model and is what the layer's own output is named after. */
export interface LayerContext<Config> {
  graph: GraphBuilder;
  id: string;
  layer: Layer;
  config: Config;
  /** The first input, which all layers but merges have alone. */
  input: Value;
  inputs: readonly Value[];
  /** A weight by its own name, such as `kernel`. @throws AppError `invalid_request` when it is missing. */
  weight: (name: string) => Weight;
}

export type LayerConverter = (context: Omit<LayerContext<never>, "config">) => Value;

/** A converter of one class of layer, whose configuration is parsed with `schema` first. */
export function defineLayer<S extends z.ZodType>(
  schema: S,
  convert: (context: LayerContext<z.output<S>>) => Value,
): LayerConverter {
  return (context) => {
    const { name, className, config } = context.layer;
    return convert({ ...context, config: parse(schema, config, `Layer ${name} (${className})`, `${name}.config`) });
  };
}

/** The error for a layer, or a setting of one, that can't be written as ONNX. */
export function unsupportedLayer({ name, className }: Layer, reason: string): AppError {
  return new AppError("unsupported", `Layer ${name} (${className}) can't be exported to ONNX: ${reason}`, {
    issues: [{ path: `topology.${name}`, message: reason }],
  });
}
