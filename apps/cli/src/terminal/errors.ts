import { toAppError } from "@whittle/contracts";

/** Writes what went wrong, one line and one for each wrong field, and returns the exit code. */
export function printError(error: unknown): number {
  const { message, issues } = toAppError(error);
  console.error(`error: ${message}`);
  if (issues.length > 1) for (const issue of issues) console.error(`  ${issue.path || "(root)"}: ${issue.message}`);
  return 1;
}
