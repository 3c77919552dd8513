import { AppError } from "@whittle/contracts";
import { createConsumer } from "./consumer.ts";
import { catalog, succeed } from "./rig-jobs.ts";

/** A worker on a host whose clock is ahead: `skewed.fixture.ts <redis url> <prefix> <seconds> [fail]`. With `fail` its jobs fail, and may run again. */
const [, , redisUrl = "", prefix = "", seconds = "", fails] = process.argv;
const machineNow = Date.now;
Date.now = () => machineNow() + Number(seconds) * 1000;

const backend = { backend: "wasm", version: "0", gpu: false, threads: 1 } as const;
const consumer = createConsumer({
  redisUrl,
  prefix,
  kinds: Object.keys(catalog),
  concurrency: 1,
  worker: { id: `ahead by ${seconds}`, host: "there", pid: process.pid, backend, datasets: [] },
  execute: fails === undefined ? succeed : () => Promise.reject(new AppError("unavailable", "not here")),
});
await consumer.start();
