import type { Command } from "commander";
import { readConfig } from "../env.ts";
import { startStack, whenAborted, type Stack } from "../stack/stack.ts";
import { count, numberOf } from "./options.ts";

/** `up`: run Whittle on this machine. */
export function addUp(program: Command): void {
  program
    .command("up")
    .description("run Redis (unless REDIS_URL is set), API, workers and serving app until Ctrl-C")
    .option("--workers <n>", "worker processes", numberOf(count), 1)
    .option("--concurrency <n>", "jobs that a worker runs at a time", numberOf(count), 1)
    .action(up);
}

async function up(flags: { workers: number; concurrency: number }): Promise<void> {
  const signal = onInterrupt();
  const stack = await startStack({ config: readConfig(), ...flags, say: (line) => console.log(line), signal });
  printUrls(stack);
  console.log("Ctrl-C stops everything.");
  await untilStopped(stack, signal);
}

/** A signal that Ctrl-C, SIGTERM and a closed terminal abort, instead of ending the process and leaving what it started. */
export function onInterrupt(): AbortSignal {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => controller.abort());
  return controller.signal;
}

/** Where everything is, for a person. */
export function printUrls({ apiUrl, serveUrl, logDir }: Stack): void {
  console.log(`API       ${apiUrl}   docs ${apiUrl}/docs   queues ${apiUrl}/admin/queues`);
  console.log(`Serving   ${serveUrl}`);
  console.log(`Logs      ${logDir}`);
}

/** Waits for the interruption and then stops in order; another Ctrl-C stops at once. */
export async function untilStopped(stack: Stack, signal: AbortSignal): Promise<void> {
  try {
    await Promise.race([whenAborted(signal).catch(() => {}), stack.failure]);
  } finally {
    console.log("Stopping; running jobs may finish first (Ctrl-C again stops at once).");
    process.once("SIGINT", stack.kill);
    await stack.close();
    process.off("SIGINT", stack.kill);
  }
}
