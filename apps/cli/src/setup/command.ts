import { execFile } from "node:child_process";
import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { AppError } from "@whittle/contracts";
import { z } from "zod";
import { inheritedEnv } from "./settings.ts";

const exec = promisify(execFile);

export interface CommandOptions {
  cwd?: string;
  /** Added to this process's environment. */
  env?: Record<string, string>;
  timeoutSeconds?: number;
}

/**
 * Runs a program to its end and returns what it wrote to standard output.
 * @throws AppError `unavailable` with the program's last words when it can't be run, fails or takes too long.
 */
export async function command(program: string, args: string[], options: CommandOptions = {}): Promise<string> {
  const { cwd, env, timeoutSeconds = 600 } = options;
  try {
    const { stdout } = await exec(program, args, {
      ...(cwd !== undefined && { cwd }),
      env: { ...inheritedEnv(), LC_ALL: "C", ...env },
      timeout: timeoutSeconds * 1000,
      killSignal: "SIGKILL",
      maxBuffer: 64 * 2 ** 20,
    });
    return stdout;
  } catch (error) {
    throw new AppError("unavailable", `${program}: ${lastWords(error, timeoutSeconds)}`, { cause: error });
  }
}

const failure = z.object({ stdout: z.string(), stderr: z.string(), killed: z.boolean() });

function lastWords(error: unknown, timeoutSeconds: number): string {
  const { success, data } = failure.safeParse(error);
  if (!success) return error instanceof Error ? error.message : String(error);
  if (data.killed) return `took longer than ${timeoutSeconds} s`;
  const lines = `${data.stdout}\n${data.stderr}`.split("\n").filter((line) => line.trim() !== "");
  return lines.findLast((line) => /error|E:/i.test(line)) ?? lines.at(-1) ?? "failed without a word";
}

/** The first of `programs` that is on PATH. */
export async function onPath(...programs: string[]): Promise<string | undefined> {
  const folders = (inheritedEnv()["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  for (const file of programs.flatMap((program) => folders.map((folder) => join(folder, program)))) {
    if (await isExecutable(file)) return file;
  }
  return undefined;
}

function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}
