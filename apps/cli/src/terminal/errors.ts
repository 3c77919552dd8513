import { toAppError } from "@whittle/contracts";

/** Writes what went wrong, one line and one for each wrong field, and returns the exit code. */
export function printError(error: unknown): number {
  const { code, message, issues } = toAppError(error);
  const hint = code === "unauthenticated" ? "; the CLI sends WHITTLE_KEY, or to the serving app WHITTLE_SERVE_KEY" : "";
  console.error(`error: ${message}${hint}`);
  if (issues.length > 1)
    for (const issue of issues) console.error(`  ${issue.path ? `${issue.path}: ` : ""}${issue.message}`);
  return 1;
}
