import { request } from "node:http";
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { denseModel } from "./testing/models.ts";
import { startServeForTest } from "./testing/server.ts";

const reader = { key: "reader-0123456789", scope: "read" } as const;
const admin = { key: "admin-0123456789a", scope: "admin" } as const;
const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

it("a serving app with keys answers health to everybody, predictions to readers, and is managed by admins", async () => {
  const serve = await startServeForTest({ keys: [reader, admin] });
  await serve.publish(denseModel(), "m");
  const predict = (headers = {}) => serve.post("/v1/models/m:predict", { instances: [[1, 2, 3]] }, headers);
  const refused = await predict();
  expect(refused).toMatchObject({
    status: 401,
    body: { error: expect.stringContaining("Authorization: Bearer <key>") },
  });
  expect(refused.headers.get("www-authenticate")).toBe("Bearer");
  expect((await predict(bearer(`${reader.key}x`))).status).toBe(401);
  for (const path of ["/metrics", "/v2", "/V2/models/m", "/v1/models/m"])
    expect((await serve.get(path)).status).toBe(401);
  for (const path of ["/healthz", "/v2/health/live"]) expect((await serve.get(path)).status).toBe(200);
  for (const { key } of [reader, admin]) expect((await predict(bearer(key))).status).toBe(200);
  for (const path of ["/v2/repository/models/m/unload", "/V2/repository/MODELS/m/unload"])
    expect(await serve.post(path, {}, bearer(reader.key))).toMatchObject({
      status: 403,
      body: { error: "the key's scope is read; this needs admin" },
    });
  expect((await serve.post("/v2/repository/models/m/unload", {}, bearer(admin.key))).status).toBe(200);
});

/** The status of a request, which may have a Host and an Origin that fetch would not send. */
function statusFor(url: string, method: string, headers: Record<string, string>): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request(url, { method, headers }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on("error", reject)
      .end();
  });
}

describe("a serving app without keys", () => {
  it("on loopback, answers to this machine's names only, but says its health to everybody", async () => {
    const serve = await startServeForTest();
    const { port } = new URL(serve.url);
    const asked = (path: string, host: string) => statusFor(serve.url + path, "GET", { host });
    for (const path of ["/v2", "/metrics", "/v1/models/m"]) expect(await asked(path, "evil.example"), path).toBe(403);
    for (const host of ["localhost", `localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`])
      expect(await asked("/v2", host), host).toBe(200);
    for (const path of ["/healthz", "/v2/health/live"]) expect(await asked(path, "evil.example"), path).toBe(200);
  });

  it("loads and unloads no model for a page of another origin", async () => {
    const serve = await startServeForTest();
    await serve.publish(denseModel(), "m");
    const { host } = new URL(serve.url);
    const unload = (headers: Record<string, string>) =>
      statusFor(`${serve.url}/v2/repository/models/m/unload`, "POST", { "content-type": "text/plain", ...headers });
    for (const origin of ["https://evil.example", `https://evil.example:${host.split(":")[1]}`, "null"])
      expect(await unload({ host, origin }), origin).toBe(403);
    expect(await unload({ host: "evil.example", origin: "http://evil.example" })).toBe(403);
    expect((await serve.get("/v2/models/m")).status).toBe(200);
    expect(await unload({ host, origin: `http://${host}` })).toBe(200);
    expect((await serve.get("/v2/models/m")).status).toBe(404);
  });

  it("beyond loopback, warns, and answers to any name", async () => {
    const lines: string[] = [];
    const logger = pino({ level: "warn" }, { write: (line: string) => lines.push(line) });
    const serve = await startServeForTest({ host: "0.0.0.0" }, { logger });
    expect(lines).toEqual([expect.stringContaining("without WHITTLE_SERVE_KEYS everybody who reaches this host")]);
    expect(await statusFor(`${serve.url}/v2`, "GET", { host: "serve:7701" })).toBe(200);
  });

  it("warns of nothing on loopback, nor beyond it with keys", async () => {
    const lines: string[] = [];
    const logger = pino({ level: "warn" }, { write: (line: string) => lines.push(line) });
    await startServeForTest({}, { logger });
    await startServeForTest({ host: "0.0.0.0", keys: [admin] }, { logger });
    expect(lines).toEqual([]);
  });
});
