import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

/** A program of this app that runs in a process of its own: its file and the options that Node needs to run it. */
export interface Entry {
  path: string;
  execArgv: string[];
}

const fromSource = import.meta.url.endsWith(".ts");

/** Runs one job: see `child.ts`. */
export const childEntry = entry("child");

/** Tells which tensor backend and data sets this machine has: see `probe.ts`. */
export const probeEntry = entry("probe");

/** From source it is TypeScript and needs tsx; in a bundle it lies, built, beside this file. */
function entry(name: string): Entry {
  const path = fileURLToPath(new URL(`./${name}.${fromSource ? "ts" : "js"}`, import.meta.url));
  return { path, execArgv: fromSource ? ["--import", createRequire(import.meta.url).resolve("tsx")] : [] };
}
