import { AppError, backendInfo } from "@whittle/contracts";
import { z } from "zod";
import { probeEntry } from "../entries.ts";
import { explainExit } from "./crash.ts";
import { forkGroup } from "./fork.ts";

const answer = z.object({
  backend: backendInfo,
  /** Data sets that can be read here. */
  datasets: z.array(z.string()),
  warnings: z.array(z.string()),
});

export type ProbeAnswer = z.infer<typeof answer>;

/**
 * Asks a short-lived process which tensor backend and data sets there are.
 * @throws AppError `unsupported` with the process's last words when no backend can be loaded.
 */
export function probe(env: Record<string, string | undefined>, datasetDirs: string[]): Promise<ProbeAnswer> {
  const child = forkGroup(probeEntry, env, datasetDirs);
  const lastLines: string[] = [];
  child.stderr?.on("data", (data) => lastLines.push(String(data).trimEnd()));
  child.stdout?.resume();
  return new Promise((resolve, reject) => {
    child.once("message", (message) => resolve(answer.parse(message)));
    child.once("error", reject);
    child.once("close", (code, signal) => {
      const { message } = explainExit({ code, signal, lastLines: lastLines.slice(-10) });
      reject(new AppError("unsupported", `The tensor backend can't be loaded: ${message}`));
    });
  });
}
