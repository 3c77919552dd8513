import { jobEvent, type JobEvent } from "@whittle/contracts";
import { UnrecoverableError, Worker } from "bullmq";
import type { Redis } from "ioredis";
import { z } from "zod";
import type { Context } from "../connection.ts";
import { readRecord } from "../record.ts";
import { post } from "./post.ts";

export interface WebhookOptions {
  /** `whsec_` and a key in base 64, which receivers check the signatures with. */
  secret: string;
  /** Where webhooks may go to: names, `*.name`, and addresses. */
  hosts: string[];
}

const queueName = "webhooks";
const collectEveryMs = 1000;
const batch = 100;
/** The last try is four and a half to nine hours after the first, by the jitter. */
const attempts = 16;
const backoff = { type: "exponential", delay: 1000, jitter: 0.5 };
const retention = { age: 7 * 86_400, count: 5000 };

const delivery = z.object({ url: z.string(), body: z.string() });

/**
 * Delivers webhooks. The scripts that add an event to a job with a webhook also put it into a stream, in the same transaction; from
 * there it goes into a queue of BullMQ, under an id of its own so that it gets there once however many do this, and is tried until
 * it arrives. So it survives restarts of all processes.
 */
export function deliverWebhooks(
  context: Context,
  connection: Redis,
  { secret, hosts }: WebhookOptions,
): () => Promise<void> {
  let collecting = Promise.resolve();
  const timer = setInterval(() => {
    collecting = collecting.then(() => collect(context)).catch(() => {}); // Without Redis: later.
  }, collectEveryMs);
  const worker = new Worker(
    queueName,
    async ({ id = "", data }) => {
      const { url, body } = delivery.parse(data);
      const message = { id: `msg_${id}`, timestamp: Math.floor(Date.now() / 1000), body };
      const status = await post(url, message, secret, hosts);
      if (status === 410) throw new UnrecoverableError(`${url} answered 410: it wants no more`);
      if (status < 200 || status > 299) throw new Error(`${url} answered ${status}`);
    },
    { connection, prefix: context.keys.bull, concurrency: 8 },
  );
  worker.on("error", () => {});
  return async () => {
    clearInterval(timer);
    await collecting;
    await worker.close(true);
    connection.disconnect();
  };
}

/** Moves what has happened into the queue of deliveries. */
async function collect(context: Context): Promise<void> {
  const { redis, keys } = context;
  for (const [at, fields] of await redis.xrange(keys.webhooks, "-", "+", "COUNT", batch)) {
    const [, id = "", , text = ""] = fields;
    const record = await readRecord(context, id);
    const url = record?.options.webhook?.url;
    const event = jobEvent.parse(JSON.parse(text));
    if (record && url !== undefined && isTold(event)) {
      const { kind } = record.envelope;
      const result = event.type === "state" && event.state === "completed" && { result: record.end?.result };
      const type = event.type === "state" ? `job.${event.state}` : "job.progress";
      const body = JSON.stringify({ type, timestamp: event.at, data: { id, kind, ...event, ...result } });
      const options = { jobId: at, attempts, backoff, removeOnComplete: retention, removeOnFail: retention };
      await context.queue(queueName).add(type, { url, body }, options);
    }
    await redis.xdel(keys.webhooks, at);
  }
}

/** The start, progress and the end; not that it waits. */
function isTold(event: JobEvent): boolean {
  return (
    event.type === "progress" || (event.type === "state" && event.state !== "waiting" && event.state !== "blocked")
  );
}
