import { AppError } from "@whittle/contracts";
import ops from "./generated/ops.json" with { type: "json" };

/**
 * One TensorFlow op. Each input is `T` (its type is the attribute T), `=3` (always of DataType 3), `N*T` (N inputs of type T,
 * N and T attributes) or `[Ts]` (a list of types). `attrs` maps each attribute to its kind: type, int, float, bool, string,
 * shape, tensor or list(...).
 */
export interface OpEntry {
  inputs: string[];
  attrs: Record<string, string>;
  /** Keeps something between calls, such as a random generator. */
  stateful?: boolean;
}

const table = new Map<string, OpEntry>(Object.entries(ops));

/** @throws AppError `unsupported` for an op that isn't in the table. */
export function opEntry(op: string): OpEntry {
  const entry = table.get(op);
  if (entry) return entry;
  throw new AppError(
    "unsupported",
    `compile: the op ${op} is not in the op table; add it to scripts/generate-op-table.ts and run that, or keep ${op} out of the compiled function`,
  );
}

/**
 * Reads from the inputs' types what eager execution infers: type attributes and the lengths of input lists.
 * @param dtypes TensorFlow DataType numbers of the inputs, in order.
 */
export function inferredAttrs(op: string, dtypes: number[]): Record<string, number> {
  const { inputs } = opEntry(op);
  const inferred: Record<string, number> = {};
  let at = 0;
  for (const input of inputs) {
    const [, number, type = ""] = /^(?:(\w+)\*)?(.*)$/.exec(input) ?? [];
    if (type.startsWith("[")) throw new AppError("unsupported", `compile: ${op} takes a list of types; keep it out`);
    const count = number === undefined ? 1 : dtypes.length - (inputs.length - 1);
    const dtype = dtypes[at];
    if (number !== undefined) inferred[number] = count;
    if (!type.startsWith("=") && dtype !== undefined) inferred[type] = dtype;
    at += count;
  }
  return inferred;
}
