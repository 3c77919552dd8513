import { toAppError } from "@whittle/contracts";
import type { Command } from "commander";
import { readConfig } from "../env.ts";
import { startStack, whenAborted, type Stack, type StackOptions } from "../stack/stack.ts";
import { describeBackend } from "../terminal/backend.ts";
import { count, numberOf } from "./options.ts";

const noTensorFlow =
  "WARNING   NO NATIVE TENSORFLOW: jobs run on WebAssembly, several times slower, and make no SavedModel. " +
  "`npm run setup` gets it, or says why it can't (unless WHITTLE_BACKEND=wasm asks for this).";

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
  await runUp({ config: readConfig(), ...flags, signal: onInterrupt() });
}

/** Runs Whittle, and says where it is and what its workers compute with, until `signal` is aborted. */
export async function runUp(options: Omit<StackOptions, "say">): Promise<void> {
  const stack = await startStack({ ...options, say: (line) => console.log(line) });
  printUrls(stack);
  await printWorkers(stack);
  console.log("Ctrl-C stops everything.");
  await untilStopped(stack, options.signal);
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

/** A line for each worker, and a warning where not all of them have native TensorFlow. */
async function printWorkers({ client }: Stack): Promise<void> {
  try {
    const workers = await client.workers();
    for (const { id, backend } of workers) console.log(`Worker    ${id}   ${describeBackend(backend)}`);
    if (workers.some(({ backend }) => backend.backend !== "tensorflow")) console.log(noTensorFlow);
  } catch (error) {
    console.log(`WARNING   the workers can't be listed: ${toAppError(error).message}`);
  }
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
