import type { Execution, StepExecution } from "@whittle/contracts";

/** How the steps of a training ran up to a step, counted from its start. */
export interface StepsRun extends StepExecution {
  until: number;
}

/**
 * How all steps of a training ran, of this attempt and of those before it, whose checkpoint it went on from.
 * @param before as the checkpoint says.
 * @param step how many are done.
 */
export function stepsRun(before: readonly StepsRun[], now: StepExecution, step: number): StepsRun[] {
  const last = before.at(-1);
  if (step <= (last?.until ?? 0)) return [...before];
  return [...(last && isSame(last, now) ? before.slice(0, -1) : before), { ...now, until: step }];
}

/** Whether steps of two attempts run alike; the reason may differ, as it names numbers. */
export function isSame(a: StepExecution, b: StepExecution): boolean {
  return a.mode === b.mode && a.precision === b.precision;
}

/** What a job records of {@link stepsRun}. @param now where there are none. */
export function executionOf(run: readonly StepsRun[], now: StepExecution): Execution {
  const { mode, reason, precision } = run.at(-1) ?? now;
  const earlier = run.slice(0, -1);
  return { mode, reason, precision, ...(earlier.length > 0 && { earlier }) };
}

const modes = { graph: "as one graph each", "graph-xla": "as one graph each, by XLA", eager: "op by op" };

/** How the steps of a training ran, for people. */
export function describeExecution({ earlier = [], ...last }: Execution): string {
  const before = earlier.map((steps) => `, up to step ${steps.until} ${describeSteps(steps)}`);
  return `steps ${describeSteps(last)}${before.join("")}`;
}

function describeSteps({ mode, precision, reason }: StepExecution): string {
  const narrow = precision === "float32" ? "" : `, in ${precision}`;
  return `${modes[mode]}${narrow} (${reason})`;
}
