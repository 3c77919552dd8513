import { request } from "node:http";
import { describe, expect, it } from "vitest";
import { readConfig } from "./env.ts";
import { useRig, type Answer } from "./rig.ts";

const rig = useRig();
const key = "0123456789abcdef0123";
const admin = { key, scope: "admin" } as const;
const other = { key: "another-key-of-mine", scope: "admin" } as const;

/** As fetch, but may send any Host header. */
function statusFor(url: string, host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request(url, { headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on("error", reject)
      .end();
  });
}

describe("without keys", () => {
  it("the API refuses to listen beyond this machine", async () => {
    await expect(rig.start({ host: "0.0.0.0" })).rejects.toMatchObject({
      code: "forbidden",
      message: expect.stringContaining("WHITTLE_API_KEYS"),
    });
  });

  it("no answer goes to who asks for another host name, as a rebound page would send", async () => {
    expect(await statusFor(`${rig.api.url}/v1/jobs`, "evil.example")).toBe(403);
    expect(await statusFor(`${rig.api.url}/admin/queues`, "evil.example")).toBe(403);
    expect(await statusFor(`${rig.api.url}/v1/jobs`, "localhost:7700")).toBe(200);
  });
});

describe("with keys", () => {
  it("everything but health and docs asks for one", async () => {
    const { url } = await rig.startReady({ keys: [other, admin] });
    const status = async (path: string, authorization?: string): Promise<number> =>
      (await fetch(url + path, { headers: { ...(authorization !== undefined && { authorization }) } })).status;
    for (const path of ["/v1/jobs", "/v1/models", "/metrics", "/admin/queues"]) {
      expect(await status(path)).toBe(401);
      expect(await status(path, `Bearer ${key}x`)).toBe(401);
      expect(await status(path, `Bearer ${key}`)).toBe(200);
    }
    for (const path of ["/v1/uploads", "/v1/datasets/mine/versions", "/v1/jobs/make"])
      expect((await fetch(url + path, { method: "POST", body: new Uint8Array(9) })).status, path).toBe(401);
    for (const path of ["/healthz", "/docs/", "/openapi.json"]) expect(await status(path)).toBe(200);
  });

  it("Bull Board takes one as HTTP Basic password, the API does not", async () => {
    const { url } = await rig.startReady({ keys: [admin] });
    const headers = { authorization: `Basic ${Buffer.from(`anyone:${key}`).toString("base64")}` };
    expect((await fetch(`${url}/admin/queues`, { headers })).status).toBe(200);
    expect((await fetch(`${url}/v1/jobs`, { headers })).status).toBe(401);
    const asked = await fetch(`${url}/admin/queues`);
    expect(asked.headers.get("www-authenticate")).toMatch(/^Basic realm=/);
  });

  it("idempotency keys are apart for each key", async () => {
    const { url } = await rig.startReady({ keys: [admin, other] });
    const submit = async (sent: string): Promise<unknown> => {
      const headers = { authorization: `Bearer ${sent}`, "idempotency-key": "k" };
      return (await fetch(`${url}/v1/jobs/make`, { method: "POST", headers })).json();
    };
    expect(await submit(key)).toEqual(await submit(key));
    expect(await submit(key)).not.toEqual(await submit("another-key-of-mine"));
  });

  it("short keys are refused by name", () => {
    expect(() => readConfig({ WHITTLE_API_KEYS: "abc" })).toThrow("WHITTLE_API_KEYS.0: a key must have at least 16");
    expect(readConfig({ WHITTLE_API_KEYS: ` ${key} , ` }).keys).toEqual([admin]);
  });

  it("each may do what its scope says", async () => {
    const { keys } = readConfig({
      WHITTLE_API_KEYS: "reader-0123456789:read,submitter-0123456789:submit,admin-0123456789",
    });
    const { url } = await rig.startReady({ keys });
    const status = async (scope: string, path: string, method = "GET"): Promise<number> =>
      (await fetch(url + path, { method, headers: { authorization: `Bearer ${scope}-0123456789` } })).status;
    expect(await Promise.all(["reader", "submitter", "admin"].map((who) => status(who, "/v1/jobs")))).toEqual([
      200, 200, 200,
    ]);
    expect(await status("reader", "/v1/jobs/make", "POST")).toBe(403);
    expect(await status("submitter", "/v1/jobs/make", "POST")).toBe(202);
    // What is empty is refused only after the scope was looked at.
    for (const path of ["/v1/uploads", "/v1/datasets/mine/versions"]) {
      expect(await status("reader", path, "POST"), path).toBe(403);
      expect(await status("submitter", path, "POST"), path).toBe(415);
    }
    for (const path of ["/v1/models/m/versions/1", "/v1/datasets/m/versions/1"])
      expect(await status("submitter", path, "DELETE"), path).toBe(403);
    expect(await status("submitter", "/admin/queues")).toBe(403);
    expect(await status("admin", "/admin/queues")).toBe(200);
    const refused = await fetch(`${url}/v1/jobs/make`, {
      method: "POST",
      headers: { authorization: "Bearer reader-0123456789" },
    });
    expect(await refused.json()).toMatchObject({ detail: "the key's scope is read; this needs submit" });
  });

  it("a scope that is none is refused by name", () => {
    expect(() => readConfig({ WHITTLE_API_KEYS: `${key}:root` })).toThrow("must be one of read, submit, admin");
  });
});

describe("the rate limit", () => {
  it("is each key's own, and says when to come back", async () => {
    const { url } = await rig.start({ keys: [admin, other], rateLimit: 5 });
    const ask = (sent: string) => fetch(`${url}/v1/kinds`, { headers: { authorization: `Bearer ${sent}` } });
    for (let sent = 0; sent < 5; sent++) expect((await ask(key)).status).toBe(200);
    const refused = await ask(key);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await refused.json()).toMatchObject({ code: "rate_limited" });
    expect((await ask(other.key)).status).toBe(200);
  });

  it("lets nobody guess keys", async () => {
    const { url } = await rig.start({ keys: [admin], rateLimit: 1000 });
    const guess = async (at: number): Promise<number> =>
      (await fetch(`${url}/v1/kinds`, { headers: { authorization: `Bearer guess-number-${at}-of-many` } })).status;
    const answers = [];
    for (let at = 0; at < 61; at++) answers.push(await guess(at));
    expect(answers).toEqual([...Array.from({ length: 60 }, () => 401), 429]);
    const headers = { authorization: `Bearer ${key}` };
    expect((await fetch(`${url}/v1/kinds`, { headers })).status).toBe(200);
  });

  it("leaves health alone", async () => {
    const { url } = await rig.start({ rateLimit: 1 });
    for (let sent = 0; sent < 3; sent++) expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });
});

function post(body: string, type: string): Promise<Answer> {
  return rig.post("/v1/jobs/make", body, { "content-type": type });
}

describe("bodies", () => {
  it("over the limit are 413, of another type 415, broken ones 400", async () => {
    expect(await post(`{"params": "${"x".repeat(10_000)}"}`, "application/json")).toMatchObject({
      status: 413,
      body: { code: "payload_too_large", detail: expect.stringContaining("10000") },
    });
    expect(await post("a=b", "application/x-www-form-urlencoded")).toMatchObject({
      status: 415,
      body: { code: "invalid_request", issues: [{ path: "content-type" }] },
    });
    expect(await post("{", "application/json")).toMatchObject({ status: 400, body: { code: "invalid_request" } });
  });

  it.each([
    ["null", "null"],
    ['"x"', "a string"],
    ["3", "a number"],
    ["[]", "an array"],
  ])("must be objects, not %s", async (body, found) => {
    for (const path of ["/v1/jobs/make", "/v1/pipelines"])
      expect(await rig.post(path, body)).toMatchObject({
        status: 400,
        body: {
          detail: `the body is ${found}; it must be a JSON object`,
          issues: [{ path: "", message: "must be a JSON object" }],
        },
      });
  });

  it("paths that are none are 400 or 404, with the problem's form", async () => {
    expect(await rig.get("/v1/jobs/%ff")).toMatchObject({ status: 400, body: { code: "invalid_request" } });
    expect(await rig.get("/v2/anything")).toMatchObject({ status: 404, body: { code: "not_found" } });
  });

  it.each([
    ["DELETE", "/v1/jobs", "GET, HEAD"],
    ["PUT", "/v1/jobs/make", "POST, GET, HEAD"],
    ["GET", "/v1/jobs/j1/cancel", "POST"],
    ["OPTIONS", "/v1/models/small/versions/2", "GET, HEAD, DELETE"],
    ["POST", "/healthz", "GET, HEAD"],
    ["POST", "/openapi.json", "GET, HEAD"],
    ["DELETE", "/metrics", "GET, HEAD"],
  ])("paths that are there do not take %s %s, and say what they take", async (method, path, allowed) => {
    const answer = await rig.send(method, path);
    expect(answer).toMatchObject({ status: 405, body: { code: "method_not_allowed", title: "method not allowed" } });
    expect(answer.body).toMatchObject({ detail: `${path} takes ${allowed}, not ${method}; see /docs` });
    expect(answer.headers.get("allow")).toBe(allowed);
  });
});

describe("Bull Board", () => {
  it("shows the queues and lets nothing be changed", async () => {
    expect((await rig.get("/admin/queues")).body).toContain("<title>");
    const queues = await rig.get("/admin/queues/api/queues");
    expect(queues.body).toMatchObject({ queues: [{ name: "make", readOnlyMode: true }, { name: "change" }] });
    expect((await rig.send("PUT", "/admin/queues/api/queues/make/pause")).status).toBe(405);
  });
});
