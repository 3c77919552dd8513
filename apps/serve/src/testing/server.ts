import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ArtifactDraft, VersionRecord } from "@whittle/contracts";
import { openStore, type ArtifactStore } from "@whittle/store";
import { pino } from "pino";
import { onTestFinished } from "vitest";
import { createServe, type RunningServe, type ServeParts } from "../create-serve.ts";
import type { ServeConfig } from "../config.ts";

export interface Answer {
  status: number;
  headers: Headers;
  body: unknown;
}

/** A server on a store of its own, with what a test needs to talk to both. */
export interface TestServe extends RunningServe {
  store: ArtifactStore;
  publish(draft: ArtifactDraft, name: string, alias?: string): Promise<VersionRecord>;
  get(path: string): Promise<Answer>;
  /** Sends a value as JSON, or bytes or text as they are. */
  post(path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** Ends the server and removes the store. */
  remove(): Promise<void>;
}

/** Starts a server on an empty store, on one thread and a free port. Remove it when it is done with. */
export async function startServe(config: Partial<ServeConfig> = {}, parts: ServeParts = {}): Promise<TestServe> {
  const folder = await mkdtemp(join(tmpdir(), "whittle-serve-"));
  const store = await openStore(folder);
  const logger = pino({ level: "silent" });
  const remove = () => rm(folder, { recursive: true });
  const serve = await createServe(
    { port: 0, store: folder, threads: 1, pollMs: 20, ...config },
    { logger, ...parts },
  ).catch(async (error: unknown) => {
    await remove();
    throw error;
  });
  let jobs = 0;
  return {
    ...serve,
    store,
    publish: (draft, name, alias) => {
      jobs += 1;
      return store.publish(draft, { name, ...(alias && { alias }), jobId: `job${jobs}`, actor: "test" });
    },
    get: async (path) => answer(await fetch(serve.url + path)),
    post: async (path, body, headers = {}) => {
      const raw =
        typeof body === "string" || body instanceof Uint8Array ? Buffer.from(body) : JSON.stringify(body ?? {});
      return answer(await fetch(serve.url + path, { method: "POST", body: raw, headers }));
    },
    remove: async () => {
      await serve.close();
      await remove();
    },
  };
}

/** Like {@link startServe}, and removed when the test is over. */
export async function startServeForTest(config: Partial<ServeConfig> = {}, parts: ServeParts = {}): Promise<TestServe> {
  const serve = await startServe(config, parts);
  onTestFinished(() => serve.remove());
  return serve;
}

async function answer(response: Response): Promise<Answer> {
  const { status, headers } = response;
  const bytes = new Uint8Array(await response.arrayBuffer());
  const isJson = headers.get("content-type")?.startsWith("application/json");
  return { status, headers, body: isJson ? parsed(new TextDecoder().decode(bytes)) : bytes };
}

/** JSON's value, or the text itself where it is none. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
