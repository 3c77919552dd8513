import type { Command } from "commander";
import { runDemo } from "../demo/demo.ts";
import { readConfig } from "../env.ts";
import { printUrls, untilStopped } from "./up.ts";

/** `demo`: the main job, end to end. */
export function addDemo(program: Command): void {
  program
    .command("demo")
    .description("train, distill, prune, quantize and serve on real data, and report what came out")
    .option("--keep", "leave everything running at the end, until Ctrl-C")
    .action(demo);
}

async function demo({ keep }: { keep?: boolean }): Promise<void> {
  const interrupt = new AbortController();
  const abort = () => interrupt.abort();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, abort);
  await runDemo({
    config: readConfig(),
    say: (line) => console.log(line),
    signal: interrupt.signal,
    afterwards: async (stack) => {
      printUrls(stack);
      if (!keep) return;
      for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, abort);
      await untilStopped(stack);
    },
  });
}
