import type { Execution } from "@whittle/contracts";

const modes = { graph: "as one graph each", "graph-xla": "as one graph each, by XLA", eager: "op by op" };

/** How the steps of a training ran, for people. */
export function describeExecution({ mode, precision, reason }: Execution): string {
  const narrow = precision === "float32" ? "" : `, in ${precision}`;
  return `steps ${modes[mode]}${narrow} (${reason})`;
}
