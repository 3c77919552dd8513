import { AppError, jobEvent, parse, type JobEvent } from "@whittle/contracts";
import { UnrecoverableError, Worker, type Job } from "bullmq";
import { z } from "zod";
import type { Connection, Context } from "../connection.ts";
import { readRecord } from "../record.ts";
import { hostOf } from "./destination.ts";
import { post } from "./post.ts";

export interface WebhookOptions {
  /** `whsec_` and a key in base 64, which receivers check the signatures with. */
  secret: string;
  /** Where webhooks may go to: names, `*.name`, and addresses. */
  hosts: string[];
  /** Told of every try that fails, and of what is not delivered at all. */
  onProblem: (problem: WebhookProblem) => void;
}

/** Why a job's webhook was not told of something. It names no path and no query of the URL: they may hold what nobody else may know. */
export interface WebhookProblem {
  job: string;
  reason: string;
  /** Where it was to go and the number of the try, counted from 1; absent for an event that can't be read. */
  host?: string;
  attempt?: number;
  /** Whether it is given up. */
  final: boolean;
}

const queueName = "webhooks";
const collectEveryMs = 1000;
const batch = 100;
/** The last try is four and a half to nine hours after the first, by the jitter. */
const attempts = 16;
const backoff = { type: "exponential", delay: 1000, jitter: 0.5 };
const retention = { age: 7 * 86_400, count: 5000 };

const delivery = z.object({ url: z.string(), body: z.string() });
const message = z.object({ data: z.object({ id: z.string() }) });

/**
 * Delivers webhooks. The scripts that add an event to a job with a webhook also put it into a stream, in the same transaction; from
 * there it goes into a queue of BullMQ, under an id of its own so that it gets there once however many do this, and is tried until
 * it arrives. So it survives restarts of all processes.
 */
export function deliverWebhooks(
  context: Context,
  connection: Connection,
  { secret, hosts, onProblem }: WebhookOptions,
): () => Promise<void> {
  let collecting = Promise.resolve();
  const timer = setInterval(() => {
    collecting = collecting.then(() => collect(context, onProblem)).catch(() => {}); // Without Redis: later.
  }, collectEveryMs);
  const worker = new Worker(queueName, ({ id = "", data }) => deliver(id, delivery.parse(data), secret, hosts), {
    connection,
    prefix: context.keys.bull,
    concurrency: 8,
  });
  worker.on("error", () => {}); // Of the connection, which comes back by itself.
  worker.on("failed", (job, error) => {
    if (job) onProblem(problemOf(job, error));
  });
  return async () => {
    clearInterval(timer);
    await collecting;
    await worker.close(true);
    connection.disconnect();
  };
}

/** @throws UnrecoverableError where another try would end as this one. */
async function deliver(id: string, { url, body }: z.output<typeof delivery>, secret: string, hosts: string[]) {
  const timestamp = Math.floor(Date.now() / 1000);
  const status = await post(url, { id: `msg_${id}`, timestamp, body }, secret, hosts).catch((error: unknown) => {
    throw error instanceof AppError && error.code === "invalid_request" ? new UnrecoverableError(error.message) : error;
  });
  if (status === 410) throw new UnrecoverableError("the answer was 410: it wants no more");
  if (status < 200 || status > 299) throw new Error(`the answer was ${status}`);
}

function problemOf({ data, attemptsMade }: Job<unknown>, error: Error): WebhookProblem {
  const final = error instanceof UnrecoverableError || attemptsMade >= attempts;
  const { url, body } = delivery.parse(data);
  const job = message.parse(JSON.parse(body)).data.id;
  return { job, reason: reasonOf(error), host: hostOf(url), attempt: attemptsMade, final };
}

/** Where every address of a host refuses, the error has a code and no message. */
function reasonOf(error: Error): string {
  return error.message || ("code" in error ? String(error.code) : error.name);
}

/** Moves what has happened into the queue of deliveries. An event that can't be read is told and dropped, or none after it would be told. */
async function collect(context: Context, onProblem: WebhookOptions["onProblem"]): Promise<void> {
  const { redis, keys } = context;
  for (const [at, [, id = "", , text = ""]] of await redis.xrange(keys.webhooks, "-", "+", "COUNT", batch)) {
    try {
      await enqueue(context, at, id, text);
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      onProblem({ job: id, reason: `its event ${at} can't be read and is dropped: ${error.message}`, final: true });
    }
    await redis.xdel(keys.webhooks, at);
  }
}

function isUnreadable(error: unknown): error is Error {
  return error instanceof SyntaxError || error instanceof z.ZodError || error instanceof AppError;
}

async function enqueue(context: Context, at: string, id: string, text: string): Promise<void> {
  const event = parse(jobEvent, JSON.parse(text), "the event");
  const record = await readRecord(context, id);
  const url = record?.options.webhook?.url;
  if (!record || url === undefined || !isTold(event)) return;
  const { kind } = record.envelope;
  const result = event.type === "state" && event.state === "completed" && { result: record.end?.result };
  const type = event.type === "state" ? `job.${event.state}` : "job.progress";
  const body = JSON.stringify({ type, timestamp: event.at, data: { id, kind, ...event, ...result } });
  const options = { jobId: at, attempts, backoff, removeOnComplete: retention, removeOnFail: retention };
  await context.queue(queueName).add(type, { url, body }, options);
}

/** The start, progress and the end; not that it waits. */
function isTold(event: JobEvent): boolean {
  return (
    event.type === "progress" || (event.type === "state" && event.state !== "waiting" && event.state !== "blocked")
  );
}
