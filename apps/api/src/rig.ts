import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineJob, modelReference, type JobEnvelope, type JobResult } from "@whittle/contracts";
import { createConsumer, type Consumer, type Execute } from "@whittle/queue";
import { startRedis, type RedisServer } from "@whittle/queue/server";
import { openStore, type ArtifactStore } from "@whittle/store";
import { afterAll, afterEach, beforeAll, beforeEach, vi } from "vitest";
import { z } from "zod";
import { createApi, type Api, type ApiOptions } from "./app.ts";

const params = z.strictObject({ epochs: z.int().min(1).default(3), base: modelReference.optional() });
const example = { epochs: 2 };
const texts = { title: "Title", description: "What it does." };

const catalog = {
  make: defineJob({ kind: "make", ...texts, params, models: {}, publishes: true, example }),
  change: defineJob({ kind: "change", ...texts, params, models: { base: "base" }, publishes: true, example }),
};

export function resultOf({ id, output }: JobEnvelope): JobResult {
  const digest = `sha256:${Buffer.from(id).toString("hex").padEnd(64, "0")}`;
  return { artifact: { name: output.name, version: 1, digest }, metrics: {} };
}

export const succeed: Execute = async (envelope) => resultOf(envelope);

/** An answer, its body read. */
export interface Answer {
  status: number;
  headers: Headers;
  body: unknown;
}

const backend = { backend: "wasm", version: "0", gpu: false, threads: 1 } as const;

/** An API on a real Redis and a real store; each test has keys of its own in Redis. */
export class Rig {
  redis!: RedisServer;
  dir!: string;
  prefix!: string;
  api!: Api;
  store!: ArtifactStore;
  readonly #closing: (() => Promise<void>)[] = [];

  async startRedis(): Promise<void> {
    this.dir ??= await mkdtemp(join(tmpdir(), "whittle-api-"));
    this.redis = await startRedis({ dir: join(this.dir, "redis") });
  }

  async stopRedis(): Promise<void> {
    await this.redis.close();
    await rm(this.dir, { recursive: true, force: true });
  }

  options(overrides: Partial<ApiOptions> = {}): ApiOptions {
    return {
      host: "127.0.0.1",
      port: 0,
      redisUrl: this.redis.url,
      prefix: this.prefix,
      store: join(this.dir, this.prefix),
      keys: [],
      rateLimit: 0,
      bullBoardWritable: false,
      bodyLimitBytes: 10_000,
      uploadLimitBytes: 1_000_000,
      logLevel: "silent",
      catalog,
      heartbeatMs: 50,
      ...overrides,
    };
  }

  async open(): Promise<void> {
    this.prefix = `t${randomUUID().slice(0, 8)}`;
    this.api = await this.startReady({});
    this.store = await openStore(join(this.dir, this.prefix));
  }

  /** Starts another API beside the test's own. */
  async start(overrides: Partial<ApiOptions> = {}): Promise<Api> {
    const api = await createApi(this.options(overrides));
    this.#closing.push(() => api.close());
    return api;
  }

  async startReady(overrides: Partial<ApiOptions>): Promise<Api> {
    const api = await this.start(overrides);
    await this.ready(api);
    return api;
  }

  async close(): Promise<void> {
    for (const close of this.#closing.splice(0).toReversed()) await close();
  }

  async work(execute: Execute): Promise<Consumer> {
    const { redis, prefix } = this;
    const worker = { id: "w-1", host: "here", pid: process.pid, backend, datasets: ["tiny"] };
    const kinds = Object.keys(catalog);
    const consumer = createConsumer({ redisUrl: redis.url, prefix, kinds, concurrency: 1, worker, execute });
    this.#closing.push(() => consumer.close());
    await consumer.start();
    return consumer;
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return this.send("GET", path, undefined, headers);
  }

  post(path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return this.send("POST", path, body, headers);
  }

  /** Sends bytes. */
  upload(path: string, bytes: Uint8Array, headers: Record<string, string> = {}): Promise<Answer> {
    return this.post(path, bytes, { "content-type": "application/octet-stream", ...headers });
  }

  async send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const response = await fetch(this.api.url + path, {
      method,
      headers: { ...(body !== undefined && { "content-type": "application/json" }), ...headers },
      ...(body !== undefined && { body: bodyOf(body) }),
    });
    const text = await response.text();
    const isJson = /json/.test(response.headers.get("content-type") ?? "");
    return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
  }

  /** Submits a job and returns its id. */
  async submit(kind = "make", body: unknown = {}): Promise<string> {
    const answer = await this.post(`/v1/jobs/${kind}`, body);
    return z.object({ id: z.string() }).parse(answer.body).id;
  }

  /** Waits until a job shows the state. */
  async reaches(id: string, state: string): Promise<void> {
    await vi.waitFor(
      async () => {
        const { body } = await this.get(`/v1/jobs/${id}`);
        const job = z.object({ state: z.string() }).parse(body);
        if (job.state !== state) throw new Error(`job is ${JSON.stringify(body)}`);
      },
      { timeout: 20_000, interval: 20 },
    );
  }

  /** Waits until the API has found Redis. */
  ready({ url }: Api = this.api): Promise<void> {
    const look = async (): Promise<void> => {
      const { status } = await fetch(`${url}/readyz`);
      if (status !== 200) throw new Error(`readyz is ${status}`);
    };
    return vi.waitFor(look, { timeout: 20_000 });
  }
}

function bodyOf(body: unknown): string | Uint8Array<ArrayBuffer> {
  if (body instanceof Uint8Array) return new Uint8Array(body);
  return typeof body === "string" ? body : JSON.stringify(body);
}

export function useRig(): Rig {
  const rig = new Rig();
  beforeAll(() => rig.startRedis());
  beforeEach(() => rig.open());
  afterEach(() => rig.close());
  afterAll(() => rig.stopRedis());
  return rig;
}
