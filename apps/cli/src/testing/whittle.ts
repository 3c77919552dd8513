import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { vi } from "vitest";
import { createProgram } from "../program.ts";

const main = fileURLToPath(new URL("../main.ts", import.meta.url));

export interface Ended {
  code: number;
  out: string;
  err: string;
}

/** Runs the command in a process of its own, with these variables added to the environment. */
export function runWhittle(args: string[], env: Record<string, string> = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { env: { ...process.env, ...env } };
    execFile(process.execPath, ["--import", "tsx", main, ...args], options, (error, out, err) =>
      resolve({ code: typeof error?.code === "number" ? error.code : 0, out, err }),
    );
  });
}

/**
 * Runs the command in this process, one at a time, which saves a process' start.
 * @returns what it printed. @throws what it ends with: CommanderError for wrong usage, else AppError.
 */
export async function callWhittle(args: string[], env: Record<string, string> = {}): Promise<string> {
  const printed: string[] = [];
  const log = vi.spyOn(console, "log").mockImplementation((line: unknown) => void printed.push(String(line)));
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  try {
    await createProgram().parseAsync(args, { from: "user" });
    return printed.join("\n");
  } finally {
    log.mockRestore();
    vi.unstubAllEnvs();
  }
}
