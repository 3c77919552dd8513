import { AppError } from "@whittle/contracts";
import { parseSelection, type Selection } from "../models/selector.ts";

/** The parts of a path that say which model is meant. */
export interface ModelPath {
  model?: string;
  version?: string;
  label?: string;
}

/**
 * Which model, and which version of it, a path means.
 * @throws AppError `invalid_request` when a name or a version can't be one.
 */
export function selectionOf({ model = "", version, label }: ModelPath): Selection {
  if (version === undefined && label === undefined) return parseSelection(model);
  const selection = parseSelection(`${model}@${version ?? label}`);
  const expected = version === undefined ? "alias" : "version";
  if (selection.selector.kind !== expected)
    throw new AppError("invalid_request", `"${version ?? label}" is no ${expected === "alias" ? "label" : "version"}`);
  return selection;
}
