import { expect, it } from "vitest";
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
