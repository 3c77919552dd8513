import { Worker } from "node:worker_threads";

const fromSource = import.meta.url.endsWith(".ts");

/** Starts `thread.ts`; in a bundle it lies, built as `thread.js`, beside this file. */
export function spawnThread(intraOpThreads: number): Worker {
  const entry = new URL(fromSource ? "./thread.ts" : "./thread.js", import.meta.url);
  const options = { workerData: { intraOpThreads }, execArgv: [] };
  if (!fromSource) return new Worker(entry, options);
  // Hooks given with --import come too late for the file that a worker thread starts with (Node 20), so it starts with this.
  const tsx = JSON.stringify(import.meta.resolve("tsx/esm/api"));
  const start = `import(${tsx}).then((tsx) => { tsx.register(); return import(${JSON.stringify(entry.href)}); })`;
  return new Worker(start, { ...options, eval: true });
}
