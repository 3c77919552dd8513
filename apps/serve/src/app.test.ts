import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startServe, type TestServe } from "./testing/server.ts";

let serve: TestServe;
beforeAll(async () => {
  serve = await startServe();
});
afterAll(() => serve.remove());

async function send(method: string, path: string) {
  const response = await fetch(serve.url + path, { method });
  return { status: response.status, allow: response.headers.get("allow"), body: await response.json() };
}

describe("a path that is there", () => {
  it.each([
    ["POST", "/healthz", "GET, HEAD"],
    ["DELETE", "/metrics", "GET, HEAD"],
    ["POST", "/v2", "GET, HEAD"],
    ["DELETE", "/v2/models/m/versions/1", "GET, HEAD"],
    ["GET", "/v2/models/m/infer", "POST"],
    ["GET", "/v2/models/m/versions/1/explain", "POST"],
    ["GET", "/v2/repository/index", "POST"],
    ["PUT", "/v2/repository/models/m/load", "POST"],
    ["POST", "/v1/models/m", "GET, HEAD"],
    ["POST", "/v1/models/m/versions/1/metadata", "GET, HEAD"],
    ["GET", "/v1/models/m:predict", "POST"],
    ["GET", "/v1/models/m/labels/prod:classify", "POST"],
  ])("does not take %s %s, and says what it takes", async (method, path, allow) => {
    const error = `${path} takes ${allow}, not ${method}`;
    expect(await send(method, path)).toEqual({ status: 405, allow, body: { error } });
  });
});

it.each(["/v3", "/v1/models/m:guess", "/v2/models/m/guess"])("there is nothing at POST %s", async (path) => {
  expect(await send("POST", path)).toMatchObject({ status: 404, allow: null });
});
