import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipelineRequest, type JobState, type JobView } from "@whittle/contracts";
import { afterAll, afterEach, beforeAll, beforeEach, vi } from "vitest";
import type { z } from "zod";
import { createConsumer, type Consumer, type ConsumerOptions } from "./consumer.ts";
import { createQueue, type JobQueue } from "./queue.ts";
import type { Execute } from "./run-job.ts";
import { catalog } from "./rig-jobs.ts";
import { startRedis, type RedisServer } from "./server.ts";
import type { Submission } from "./submit.ts";

const backend = { backend: "wasm", version: "0", gpu: false, threads: 1 } as const;

/** A queue of its own for each test, on one real Redis for each file. */
export class Rig {
  redis!: RedisServer;
  dir!: string;
  prefix!: string;
  queue!: JobQueue;
  readonly #closing: (() => Promise<void>)[] = [];

  async startRedis(): Promise<void> {
    this.dir ??= await mkdtemp(join(tmpdir(), "whittle-queue-"));
    this.redis = await startRedis({ dir: this.dir });
  }

  async stopRedis(): Promise<void> {
    await this.redis.close();
    await rm(this.dir, { recursive: true, force: true });
  }

  async open(): Promise<void> {
    this.prefix = `t${randomUUID().slice(0, 8)}`;
    this.queue = createQueue({ redisUrl: this.redis.url, prefix: this.prefix, catalog });
    this.#closing.push(() => this.queue.close());
    await vi.waitFor(() => this.queue.ping(), { timeout: 20_000 });
  }

  async close(): Promise<void> {
    for (const close of this.#closing.splice(0).toReversed()) await close();
  }

  async work(execute: Execute, options: Partial<ConsumerOptions> = {}): Promise<Consumer> {
    const worker = { id: `w-${randomUUID()}`, host: "here", pid: process.pid, backend, datasets: [] };
    const { redis, prefix } = this;
    const kinds = Object.keys(catalog);
    const consumer = createConsumer({
      redisUrl: redis.url,
      prefix,
      kinds,
      concurrency: 1,
      worker,
      execute,
      ...options,
    });
    this.#closing.push(() => consumer.close());
    await consumer.start();
    return consumer;
  }

  /** Submits a job and returns its id. */
  async submit(kind: keyof typeof catalog = "make", value = 0, options: Submission["options"] = {}): Promise<string> {
    return (await this.queue.submit({ kind, params: { value }, options, submittedBy: "test" })).id;
  }

  /** Submits a pipeline and returns the job ids by step. */
  async pipeline(
    steps: z.input<typeof pipelineRequest>["steps"],
  ): Promise<{ id: string; jobs: Record<string, string> }> {
    const view = await this.queue.submitPipeline({ request: pipelineRequest.parse({ steps }), submittedBy: "test" });
    return { id: view.id, jobs: Object.fromEntries(view.steps.map(({ step, id }) => [step, id])) };
  }

  /** Waits until a job is in a state, and returns it. */
  reaches(id: string | undefined, state: JobState): Promise<JobView> {
    const look = async (): Promise<JobView> => {
      const job = await this.queue.get(id ?? "");
      if (job.state !== state) throw new Error(`job is ${job.state}, not ${state}: ${JSON.stringify(job.error)}`);
      return job;
    };
    return vi.waitFor(look, { timeout: 30_000, interval: 20 });
  }
}

export function useRig(): Rig {
  const rig = new Rig();
  beforeAll(() => rig.startRedis());
  beforeEach(() => rig.open());
  afterEach(() => rig.close());
  afterAll(() => rig.stopRedis());
  return rig;
}
