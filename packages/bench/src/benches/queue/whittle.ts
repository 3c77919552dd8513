import os from "node:os";
import { createConsumer } from "@whittle/queue";
import { startApi, type Place } from "./programs.ts";
import type { Side } from "./side.ts";

/** The API as a process of its own, and a consumer whose jobs do nothing. */
export async function throughTheApi(place: Place, concurrency: number): Promise<Side> {
  const { client, close } = await startApi(place);
  let listener: ((acceptedAt: number) => void) | undefined;
  const consumer = createConsumer({
    redisUrl: place.redisUrl,
    kinds: ["train"],
    concurrency,
    worker: {
      id: "bench",
      host: os.hostname(),
      pid: process.pid,
      backend: { backend: "wasm", version: "none", gpu: false, threads: 1 },
      datasets: ["tiny"],
    },
    execute: async ({ createdAt }) => {
      listener?.(Date.parse(createdAt));
      return { metrics: {} };
    },
  });
  return {
    name: "api",
    submit: () => client.submit("train", { family: "mlp", dataset: "tiny" }),
    onStart: (next) => (listener = next),
    work: () => consumer.start(),
    close: async () => {
      await consumer.close();
      await close();
    },
  };
}
