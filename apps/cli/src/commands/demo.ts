import type { Command } from "commander";
import { runDemo } from "../demo/demo.ts";
import { readConfig } from "../env.ts";
import { onInterrupt, printUrls, untilStopped } from "./up.ts";

/** `demo`: the main job, end to end. */
export function addDemo(program: Command): void {
  program
    .command("demo")
    .description("train, distill, prune, quantize and serve on real data, and report what came out")
    .option("--keep", "leave everything running at the end, until Ctrl-C")
    .action(demo);
}

async function demo({ keep }: { keep?: boolean }): Promise<void> {
  const signal = onInterrupt();
  await runDemo({
    config: readConfig(),
    say: (line) => console.log(line),
    signal,
    afterwards: async (stack, served) => {
      printUrls(stack);
      console.log(`Model     ${stack.serveUrl}/v2/models/${served}/infer`);
      if (!keep) return console.log("All of it is stopped now; with --keep it is left running.");
      console.log("Everything is left running, until Ctrl-C.");
      await untilStopped(stack, signal);
    },
  });
}
