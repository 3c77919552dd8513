import { createServer, type IncomingHttpHeaders } from "node:http";
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { callWhittle, runWhittle, type Ended } from "./testing/whittle.ts";

// Nothing listens there.
const whittle = (...args: string[]): Promise<Ended> => runWhittle(args, { WHITTLE_URL: "http://127.0.0.1:59999" });

it("lists its commands", async () => {
  const { code, out } = await whittle("--help");
  expect(code).toBe(0);
  for (const name of [
    "setup",
    "up",
    "demo",
    "doctor",
    "submit",
    "pipeline",
    "jobs",
    "show",
    "watch",
    "logs",
    "metrics",
    "cancel",
    "retry",
    "kinds",
    "models",
    "predict",
    "explain",
    "store",
  ]) {
    expect(out).toMatch(new RegExp(`^  ${name} `, "m"));
  }
});

it.each([
  { args: ["submit", "train"], code: 2, err: /required option '--params/ },
  { args: ["trian"], code: 2, err: /unknown command 'trian'[^]*Did you mean train|unknown command 'trian'/ },
  { args: ["up", "--workers", "0"], code: 2, err: /at least 1/ },
  { args: ["jobs", "--limit", "abc"], code: 2, err: /'--limit <n>' argument 'abc' is invalid. It must be a number/ },
  {
    args: ["submit", "trane", "--params", "{}"],
    code: 1,
    err: /^error: trane is not a job kind; the kinds are .*train/,
  },
  { args: ["submit", "evaluate", "--params", "{"], code: 1, err: /^error: --params is not JSON/ },
  { args: ["submit", "evaluate", "--params", "@no.json"], code: 1, err: /^error: --params: no.json can't be read/ },
  { args: ["submit", "evaluate", "--params", '{"model": 1, "splt": 2}'], code: 1, err: /params.model: [^]*splt/ },
  { args: ["jobs"], code: 1, err: /^error: the API at http:\/\/127.0.0.1:59999 does not answer/ },
])("ends `whittle $args` with $code and says why", async ({ args, code, err }) => {
  const result = await whittle(...args);
  expect(result.err).toMatch(err);
  expect(result.code).toBe(code);
});

it.each([
  ["--limit", "1.5", /It must be a whole number, not 1.5/],
  ["--limit", "0", /It must be at least 1, not 0/],
  ["--state", "lost", /'--state <state>' argument 'lost' is invalid.*waiting/],
  ["--kind", "trane", /'--kind <kind>' argument 'trane' is invalid.*train/],
])("refuses `whittle jobs %s %s` before it asks the API", async (flag, value, message) => {
  await expect(callWhittle(["jobs", flag, value])).rejects.toThrow(message);
});

describe("predict", () => {
  const asked: { url: string | undefined; headers: IncomingHttpHeaders }[] = [];
  const model = { name: "m", inputs: [{ name: "x", datatype: "FP32", shape: [-1, 2] }], outputs: [] };
  const server = createServer(({ url, headers }, response) => {
    asked.push({ url, headers });
    if (headers.authorization === "Bearer wrong") response.statusCode = 401;
    response.end(JSON.stringify(url?.endsWith("/infer") ? { model_name: "m", outputs: [] } : model));
  });
  let WHITTLE_SERVE_URL: string;
  beforeAll(async () => {
    await once(server.listen(0, "127.0.0.1"), "listening");
    const address = server.address();
    WHITTLE_SERVE_URL = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
  });
  afterAll(() => void server.close());
  const predict = (input: string, env = {}): Promise<string> =>
    callWhittle(["predict", "m", "--input", input], { WHITTLE_SERVE_URL, ...env });

  it.each([
    ['"x"', /^--input must be a nested array of numbers of shape \[n, 2\].*@file.json.*, not "x"$/],
    ["[[1, 2], [3]]", /^--input: \[1\] must be a list of 2/],
  ])("says of %s what is wrong and what would be right", async (input, message) => {
    await expect(predict(input)).rejects.toThrow(message);
  });

  it("says which variables hold the key when it is refused", async () => {
    const env = { WHITTLE_SERVE_URL, WHITTLE_SERVE_KEY: "wrong" };
    expect(await runWhittle(["predict", "m", "--input", "[[1, 2]]"], env)).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^error: .*; the CLI sends WHITTLE_KEY, or to the serving app WHITTLE_SERVE_KEY$/m),
    });
  });

  it("sends the serving app's key, else the API's", async () => {
    const sent = async (env: Record<string, string>) => {
      asked.length = 0;
      expect(JSON.parse(await predict("[[1, 2]]", env))).toMatchObject({ model_name: "m" });
      return asked.map(({ headers }) => headers.authorization);
    };
    const both = { WHITTLE_KEY: "of-the-api", WHITTLE_SERVE_KEY: "of-the-serving-app" };
    expect(await sent(both)).toEqual(["Bearer of-the-serving-app", "Bearer of-the-serving-app"]);
    expect(await sent({ ...both, WHITTLE_SERVE_KEY: "" })).toEqual(["Bearer of-the-api", "Bearer of-the-api"]);
  });
});
