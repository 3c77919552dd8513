import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import type { Side } from "./side.ts";

/** A BullMQ queue and worker as its documentation sets them up. */
export function bareBullmq(redisUrl: string, concurrency: number): Side {
  const connections = [new Redis(redisUrl), new Redis(redisUrl, { maxRetriesPerRequest: null })] as const;
  const queue = new Queue("bare", { connection: connections[0] });
  let listener: ((acceptedAt: number) => void) | undefined;
  const worker = new Worker(
    "bare",
    async ({ timestamp }) => {
      listener?.(timestamp);
    },
    { connection: connections[1], concurrency, autorun: false },
  );
  return {
    name: "bullmq",
    submit: () => queue.add("job", { value: 1 }),
    onStart: (next) => (listener = next),
    work: async () => {
      worker.run().catch(() => {});
      await worker.waitUntilReady();
    },
    close: async () => {
      await worker.close();
      await queue.close();
      for (const connection of connections) connection.disconnect();
    },
  };
}
