import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished, vi } from "vitest";
import { readConfig } from "../env.ts";
import { runUp } from "./up.ts";

it("says what its worker computes with, and warns where that is not native TensorFlow", async () => {
  const home = await mkdtemp(join(tmpdir(), "whittle-up-"));
  const lines: string[] = [];
  const log = vi.spyOn(console, "log").mockImplementation((line: unknown) => void lines.push(String(line)));
  onTestFinished(async () => {
    log.mockRestore();
    await rm(home, { recursive: true });
  });
  const anyPort = { host: "127.0.0.1", port: 0 };
  const environment = { ...process.env, WHITTLE_BACKEND: "wasm", REDIS_URL: "" };
  const config = { ...readConfig(environment), home, store: join(home, "store"), api: anyPort, serve: anyPort };
  const interruption = new AbortController();
  const running = runUp({ config, workers: 1, concurrency: 1, signal: interruption.signal });
  const said = vi.waitFor(() => expect(lines.at(-1)).toMatch(/Ctrl-C/), { timeout: 110_000 });
  await Promise.race([said, running]).finally(() => interruption.abort());
  await running;
  const workers = lines.filter((line) => line.startsWith("Worker"));
  expect(workers).toEqual([expect.stringMatching(/^Worker +\S+ +wasm \S+, \d+ threads$/)]);
  expect(lines).toContainEqual(expect.stringMatching(/^WARNING +NO NATIVE TENSORFLOW: .*`npm run setup`/));
}, 150_000);
