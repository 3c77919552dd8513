import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createConsumer } from "@whittle/queue";
import { WhittleClient } from "@whittle/sdk";
import type { Side } from "./side.ts";

const root = fileURLToPath(new URL("../../../../../", import.meta.url));

/** The API as a process of its own, asked over HTTP, and a consumer whose jobs do nothing. */
export async function throughTheApi(redisUrl: string, folder: string, concurrency: number): Promise<Side> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const env = { REDIS_URL: redisUrl, WHITTLE_STORE: path.join(folder, "store"), WHITTLE_API_PORT: String(port) };
  const api = spawn(process.execPath, ["--import", "tsx", "apps/api/src/main.ts"], {
    cwd: root,
    env: { ...process.env, ...env, WHITTLE_API_HOST: "127.0.0.1", WHITTLE_RATE_LIMIT: "0" },
    stdio: "ignore",
  });
  const exited = once(api, "exit");
  while (!(await fetch(`${url}/readyz`).catch(() => undefined))?.ok) {
    if (api.exitCode !== null) throw new Error(`the API ended with exit code ${api.exitCode}`);
    await sleep(50);
  }
  const client = new WhittleClient({ url });
  let listener: (() => void) | undefined;
  const consumer = createConsumer({
    redisUrl,
    kinds: ["train"],
    concurrency,
    worker: {
      id: "bench",
      host: os.hostname(),
      pid: process.pid,
      backend: { backend: "wasm", version: "none", gpu: false, threads: 1 },
      datasets: ["tiny"],
    },
    execute: async () => {
      listener?.();
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
      api.kill("SIGTERM");
      await exited;
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (typeof address !== "object" || !address) throw new Error("no free port");
  return address.port;
}
