import { createHash } from "node:crypto";

/** What a job computes: a digest that goes on from step to step, so that a step left out or done twice changes all that follow. */
export function chainStart(submission: number): string {
  return digest(`submission ${submission}`);
}

export function chainStep(before: string, step: number): string {
  return digest(`${before} ${step}`);
}

/** What a job that was never interrupted gives. */
export function chainEnd({ submission, steps }: { submission: number; steps: number }): string {
  let chain = chainStart(submission);
  for (let step = 1; step <= steps; step++) chain = chainStep(chain, step);
  return chain;
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
