import { createConsumer } from "./consumer.ts";
import { catalog, untilStopped } from "./rig-jobs.ts";

/** A worker in a process of its own, to be killed: `worker.fixture.ts <redis url> <prefix>`. It never finishes a job. */
const [, , redisUrl = "", prefix = ""] = process.argv;
const backend = { backend: "wasm", version: "0", gpu: false, threads: 1 } as const;
const consumer = createConsumer({
  redisUrl,
  prefix,
  kinds: Object.keys(catalog),
  concurrency: 1,
  worker: { id: "doomed", host: "here", pid: process.pid, backend, datasets: [] },
  execute: untilStopped,
  lockDurationMs: 1000,
  stalledIntervalMs: 500,
});
await consumer.start();
