import { toAppError } from "@whittle/contracts";
import { readConfig } from "./env.ts";
import { createWorker } from "./worker.ts";

try {
  const worker = await createWorker(readConfig(process.argv.slice(2)));
  let leaving: Promise<void> | undefined;
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    // A second Ctrl-C leaves at once; running children end with their channel.
    process.on(signal, () => {
      if (leaving && signal === "SIGINT") process.exit(1);
      leaving ??= worker.close().then(() => process.exit(0));
    });
  }
} catch (error) {
  console.error(`worker: ${toAppError(error).message}`);
  process.exit(1);
}
