import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startRedis } from "@whittle/queue/server";
import { describe, expect, it, vi } from "vitest";
import { useRig } from "./rig.ts";

const rig = useRig();

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  return typeof address === "object" && address ? address.port : 0;
}

async function runtimeFilesOf(module: string): Promise<number> {
  const fixture = fileURLToPath(new URL("loaded.fixture.ts", import.meta.url));
  const child = spawn(process.execPath, ["--import", "tsx", fixture, module], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  await once(child, "close");
  return Number(output);
}

describe("while Redis is away", () => {
  it("the API answers 503 with Retry-After, stays up, and works again by itself", async () => {
    const id = await rig.submit();
    await new Promise((resolve) => setTimeout(resolve, 1200)); // The append-only file is synced once a second.
    process.kill(rig.redis.pid, "SIGKILL");
    await vi.waitFor(async () => expect((await rig.get("/readyz")).status).toBe(503));
    const refused = await rig.post("/v1/jobs/make", {});
    expect(refused).toMatchObject({ status: 503, body: { code: "unavailable" } });
    expect(refused.headers.get("retry-after")).toBe("5");
    expect((await rig.get("/healthz")).status).toBe(200);
    expect((await rig.get("/v1/models")).status).toBe(200);
    expect((await rig.get("/metrics")).body).toContain("whittle_redis_up 0");
    expect((await rig.get("/admin/queues")).status).toBe(503);
    await rig.startRedis();
    await rig.ready();
    expect((await rig.get(`/v1/jobs/${id}`)).body).toMatchObject({ state: "waiting" });
    expect((await rig.post("/v1/jobs/make", {})).status).toBe(202);
  });

  it("the API starts, and works once Redis is there", async () => {
    const port = await freePort();
    const password = "not-needed-to-be-secret";
    const { url } = await rig.start({ redisUrl: `redis://:${password}@127.0.0.1:${port}` });
    expect((await fetch(`${url}/readyz`)).status).toBe(503);
    const dir = join(rig.dir, "late");
    await mkdir(dir, { recursive: true });
    await writeFile(join(dir, "server.json"), JSON.stringify({ owner: process.pid, port, password }));
    const late = await startRedis({ dir, port });
    await vi.waitFor(async () => expect((await fetch(`${url}/readyz`)).status).toBe(200), { timeout: 20_000 });
    expect((await fetch(`${url}/v1/jobs/make`, { method: "POST" })).status).toBe(202);
    await late.close();
  });
});

describe("the process", () => {
  it("says where it listens, and ends cleanly on SIGTERM", async () => {
    const main = fileURLToPath(new URL("main.ts", import.meta.url));
    const env = {
      PATH: process.env["PATH"],
      REDIS_URL: rig.redis.url,
      WHITTLE_API_PORT: "0",
      WHITTLE_STORE: join(rig.dir, "store"),
      WHITTLE_PREFIX: rig.prefix,
    };
    const child = spawn(process.execPath, ["--import", "tsx", main], { env, stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    await vi.waitFor(() => expect(output).toContain("listening"), { timeout: 30_000 });
    const url = /"url":"([^"]+)"/.exec(output)?.[1];
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    expect(await ended).toEqual([0, null]);
    expect(output).not.toContain(new URL(rig.redis.url).password);
  });

  it("loads no TensorFlow", async () => {
    expect(await runtimeFilesOf("./app.ts")).toBe(0);
    expect(await runtimeFilesOf("@whittle/onnx/runtime")).toBeGreaterThan(0);
  });
});
