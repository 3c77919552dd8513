import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { expect, it, onTestFinished } from "vitest";

async function startProcess(environment: Record<string, string>) {
  const folder = await mkdtemp(join(tmpdir(), "whittle-serve-main-"));
  const child = spawn(
    process.execPath,
    ["--import", import.meta.resolve("tsx"), join(import.meta.dirname, "main.ts")],
    {
      env: {
        ...process.env,
        WHITTLE_STORE: folder,
        WHITTLE_SERVE_PORT: "0",
        WHITTLE_SERVE_THREADS: "1",
        ...environment,
      },
    },
  );
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await rm(folder, { recursive: true });
  });
  return child;
}

it("serves until it is told to stop, then ends by itself", async () => {
  const child = await startProcess({});
  const exited = once(child, "exit");
  for await (const line of createInterface(child.stdout)) {
    const url = /"url":"([^"]+)"/.exec(line)?.[1];
    if (url === undefined) continue;
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    break;
  }
  child.kill("SIGTERM");
  expect(await exited).toEqual([0, null]);
});

it("says what is wrong with its environment, and ends", async () => {
  const child = await startProcess({ WHITTLE_SERVE_PORT: "none" });
  const [said, exit] = await Promise.all([text(child.stderr), once(child, "exit")]);
  expect(said).toContain("WHITTLE_SERVE_PORT");
  expect(exit).toEqual([1, null]);
});
