import { AppError, parseModelReference } from "@whittle/contracts";
import type { ModelSummary } from "@whittle/store";

/** The alias whose version answers when a caller names only the model. */
export const DEFAULT_ALIAS = "prod";

/** Which version of a model is meant. `default`: that of the alias `prod` if there is one, otherwise the newest. */
export type Selector = { kind: "default" } | { kind: "alias"; alias: string } | { kind: "version"; version: number };

export interface Selection {
  name: string;
  selector: Selector;
}

/**
 * Reads `name`, `name@alias` or `name@version`.
 * @throws AppError `invalid_request` when it is none of these.
 */
export function parseSelection(reference: string): Selection {
  const parsed = parseModelReference(reference);
  if (parsed?.kind === "latest") return { name: parsed.name, selector: { kind: "default" } };
  if (parsed?.kind === "alias") return { name: parsed.name, selector: { kind: "alias", alias: parsed.alias } };
  if (parsed?.kind === "version") return { name: parsed.name, selector: { kind: "version", version: parsed.version } };
  throw new AppError("invalid_request", `"${reference}" must be name, name@alias or name@version`);
}

/** The other way round: `name`, `name@alias`, `name@version`. */
export function formatSelection({ name, selector }: Selection): string {
  if (selector.kind === "default") return name;
  return `${name}@${selector.kind === "alias" ? selector.alias : selector.version}`;
}

/** The version that a selector means now. @throws AppError `not_found`, saying what there is. */
export function selectVersion({ name, versions, aliases }: ModelSummary, selector: Selector): number {
  if (selector.kind === "version") {
    if (versions.includes(selector.version)) return selector.version;
    throw new AppError("not_found", `${name} has no version ${selector.version}; it has ${versions.join(", ")}`);
  }
  const alias = selector.kind === "alias" ? selector.alias : DEFAULT_ALIAS;
  const version = aliases[alias]?.version ?? (selector.kind === "default" ? versions.at(-1) : undefined);
  if (version !== undefined) return version;
  const there = Object.keys(aliases).join(", ") || "no aliases";
  throw new AppError("not_found", `${name} has no alias "${alias}"; it has ${there}`);
}
