import { parseModelReference } from "@whittle/contracts";

/** One part of a path. */
export function segment(text: string): string {
  return encodeURIComponent(text);
}

/** Where the serving app has a model (`name`, `name@version` or `name@alias`). */
export function modelPath(model: string): string {
  const reference = parseModelReference(model);
  if (reference?.kind !== "version") return `/v2/models/${segment(model)}`;
  return `/v2/models/${segment(reference.name)}/versions/${reference.version}`;
}
