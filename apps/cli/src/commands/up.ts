import { InvalidArgumentError, type Command } from "commander";
import { readConfig } from "../env.ts";
import { startStack, type Stack } from "../stack/stack.ts";

/** `up`: run Whittle on this machine. */
export function addUp(program: Command): void {
  program
    .command("up")
    .description("run Redis (unless REDIS_URL is set), API, workers and serving app until Ctrl-C")
    .option("--workers <n>", "worker processes", count, 1)
    .option("--concurrency <n>", "jobs that a worker runs at a time", count, 1)
    .action(up);
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError("must be a whole number of at least 1");
  return value;
}

async function up(flags: { workers: number; concurrency: number }): Promise<void> {
  const stack = await startStack({ config: readConfig(), ...flags, say: (line) => console.log(line) });
  printUrls(stack);
  await untilStopped(stack);
}

/** Where everything is, for a person. */
export function printUrls({ apiUrl, serveUrl, logDir }: Stack): void {
  console.log(`API            ${apiUrl}   docs ${apiUrl}/docs   queues ${apiUrl}/admin/queues`);
  console.log(`Serving        ${serveUrl}`);
  console.log(`Logs           ${logDir}`);
  console.log("Ctrl-C stops everything.");
}

/** Waits for Ctrl-C (or SIGTERM) and then stops in order; a second Ctrl-C stops at once. */
export async function untilStopped(stack: Stack): Promise<void> {
  const stopped = new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, resolve);
  });
  try {
    await Promise.race([stopped, stack.failure]);
  } finally {
    console.log("Stopping; running jobs may finish first (Ctrl-C again stops at once).");
    process.once("SIGINT", stack.kill);
    await stack.close();
  }
}
