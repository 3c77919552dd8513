import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { WhittleClient } from "./index.ts";

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** A server that answers the n-th request with the n-th handler, and the last one for all that follow. */
async function serve(...handlers: Handler[]): Promise<{ url: string; seen: IncomingMessage[]; bodies: string[] }> {
  const seen: IncomingMessage[] = [];
  const bodies: string[] = [];
  const server = createServer((request, response) => {
    void readAll(request).then((body) => {
      const handler = handlers[Math.min(seen.length, handlers.length - 1)];
      seen.push(request);
      bodies.push(body);
      handler?.(request, response, body);
    });
  });
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return { url: `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`, seen, bodies };
}

async function readAll(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  return text;
}

const json =
  (body: unknown, status = 200): Handler =>
  (_request, response) =>
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));

const at = "2025-01-01T00:00:00.000Z";
const state = (id: string, name: string) =>
  `id: ${id}\nevent: state\ndata: ${JSON.stringify({ type: "state", at, state: name })}\n\n`;
const progress = (id: string, fraction: number) =>
  `id: ${id}\ndata: ${JSON.stringify({ type: "progress", at, fraction, stage: "epoch" })}\n\n`;
const stream =
  (...messages: string[]): Handler =>
  (_request, response) =>
    response.writeHead(200, { "content-type": "text/event-stream" }).end(messages.join(""));

/** A job that ended, on a connection that stays. */
const keptOpen: Handler = (_request, response) => {
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.write(state("1-0", "running") + state("2-0", "completed"));
};

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

const ids = async (client: WhittleClient, options = {}) =>
  (await collect(client.events("j1", { retryMs: 1, ...options }))).map(({ id }) => id);

describe("WhittleClient", () => {
  it("uploads bytes as they are, and what a data set is read with", async () => {
    const server = await serve(json({ name: "mine", version: 2 }));
    const client = new WhittleClient({ url: server.url });
    const bytes = new TextEncoder().encode("not really npz");
    expect(await client.uploadDataset("mine", bytes.subarray(4), { scale: 0.5 })).toEqual({ name: "mine", version: 2 });
    await client.uploadDataset("mine", bytes);
    await client.upload(bytes);
    await client.deleteDataset("mine", 2, { force: true });
    expect(server.seen.map(({ method, url }) => `${method} ${url}`)).toEqual([
      "POST /v1/datasets/mine/versions?scale=0.5",
      "POST /v1/datasets/mine/versions",
      "POST /v1/uploads",
      "DELETE /v1/datasets/mine/versions/2?force=true",
    ]);
    expect(server.bodies).toEqual(["really npz", "not really npz", "not really npz", ""]);
    expect(server.seen[0]?.headers["content-type"]).toBe("application/octet-stream");
  });

  it("takes as a data set one of the zoo or an uploaded version, and no other compiles", async () => {
    const server = await serve(json({ id: "j1" }));
    const client = new WhittleClient({ url: server.url });
    const [name, version] = ["mine", 2];
    await client.submit("train", { family: "mlp", dataset: `${name}@${version}` });
    await client.submit("train", { family: "mlp", dataset: "tiny" });
    // @ts-expect-error The zoo has no such data set.
    await client.submit("train", { family: "mlp", dataset: "mine" });
    const sent = server.bodies.map((body) => z.object({ params: z.looseObject({}) }).parse(JSON.parse(body)).params);
    expect(sent.map(({ dataset }) => dataset)).toEqual(["mine@2", "tiny", "mine"]);
  });

  it("deletes a version, and says when it is to be forced", async () => {
    const record = { name: "m", version: 3, digest: "sha256:0", actor: "me", at };
    const server = await serve(json(record));
    const client = new WhittleClient({ url: server.url });
    expect(await client.deleteVersion("m", 3)).toEqual(record);
    await client.deleteVersion("m", 3, { force: true });
    const path = "/v1/models/m/versions/3";
    expect(server.seen.map(({ method, url }) => `${method} ${url}`)).toEqual([
      `DELETE ${path}`,
      `DELETE ${path}?force=true`,
    ]);
  });

  it("moves an alias, and only where nobody has moved it since when told so", async () => {
    const server = await serve(json({ version: 2, digest: "sha256:0", generation: 3, actor: "me", at }));
    const client = new WhittleClient({ url: server.url });
    expect(await client.setAlias("m", "prod", 2)).toMatchObject({ generation: 3 });
    await client.setAlias("m", "prod", 2, { generation: 2 });
    expect(server.seen.map(({ method, url }) => `${method} ${url}`)).toEqual(
      Array.from({ length: 2 }, () => "PUT /v1/models/m/aliases/prod"),
    );
    expect(server.bodies.map((body) => JSON.parse(body))).toEqual([{ version: 2 }, { version: 2, generation: 2 }]);
  });

  it("gives a model's names, its chart and the job kinds", async () => {
    const model = { name: "m", versions: [1], aliases: {} };
    const chart: Handler = (_request, response) => response.end("<svg/>");
    const server = await serve(json(model), chart, json({ kinds: [{ kind: "train" }] }));
    const client = new WhittleClient({ url: server.url });
    expect(await client.model("m")).toEqual(model);
    expect(await client.chart("m@prod")).toBe("<svg/>");
    expect(await client.kinds()).toEqual([{ kind: "train" }]);
    expect(server.seen.map(({ url }) => url)).toEqual(["/v1/models/m", "/v1/models/m%40prod/report.svg", "/v1/kinds"]);
  });

  it("reads listings page by page, and those of an API without pages", async () => {
    const pages = [json({ models: [{ name: "a" }], cursor: "a" }), json({ models: [{ name: "b" }] })];
    const server = await serve(...pages, json({ versions: [1], cursor: "1" }), json({ versions: [2] }));
    const client = new WhittleClient({ url: server.url });
    expect(await client.models()).toEqual([{ name: "a" }, { name: "b" }]);
    expect(await client.versions("a")).toEqual([1, 2]);
    expect(server.seen.map(({ url }) => url)).toEqual([
      "/v1/models?limit=200",
      "/v1/models?limit=200&cursor=a",
      "/v1/models/a/versions?limit=200",
      "/v1/models/a/versions?limit=200&cursor=1",
    ]);
    const before = new WhittleClient(await serve(json({ datasets: [], uploaded: [{ name: "mine", version: 1 }] })));
    expect(await before.uploadedDatasets()).toEqual([{ name: "mine", version: 1 }]);
  });

  it("sends the serving app's own key where there is one", async () => {
    const server = await serve(json({ name: "m", inputs: [], outputs: [] }));
    const urls = { url: server.url, serveUrl: server.url };
    await new WhittleClient({ ...urls, key: "one", serveKey: "other" }).servedModel("m");
    await new WhittleClient({ ...urls, key: "one" }).servedModel("m");
    await new WhittleClient({ ...urls, key: "one", serveKey: "other" }).models();
    const sent = server.seen.map(({ headers }) => headers.authorization);
    expect(sent).toEqual(["Bearer other", "Bearer one", "Bearer one"]);
  });

  it("submits a job with its options, its key and its idempotency key", async () => {
    const server = await serve(json({ id: "j1", state: "waiting" }, 202));
    const client = new WhittleClient({ url: `${server.url}/`, key: "secret" });
    const job = await client.submit("evaluate", { model: "student@1" }, { priority: 5, idempotencyKey: "once" });
    expect(job.id).toBe("j1");
    expect(server.seen[0]).toMatchObject({ method: "POST", url: "/v1/jobs/evaluate" });
    expect(server.seen[0]?.headers).toMatchObject({ authorization: "Bearer secret", "idempotency-key": "once" });
    expect(JSON.parse(server.bodies[0] ?? "")).toEqual({ params: { model: "student@1" }, priority: 5 });
  });

  it("asks for all of a job's log and metrics, however many there are", async () => {
    const server = await serve(json({ logs: [] }), json({ metrics: [] }));
    const client = new WhittleClient({ url: server.url });
    expect([await client.logs("j1"), await client.metrics("j1")]).toEqual([[], []]);
    expect(server.seen.map(({ url }) => url)).toEqual([
      "/v1/jobs/j1/logs?limit=10000",
      "/v1/jobs/j1/metrics?limit=10000",
    ]);
  });

  it("throws the API's problem with its code and every field that is wrong", async () => {
    const issues = [{ path: "params.epochs", message: "must be at least 1" }];
    const body = {
      type: "x",
      title: "invalid request",
      status: 400,
      detail: "params.epochs: must be at least 1",
      code: "invalid_request",
      issues,
    };
    const client = new WhittleClient(await serve(json(body, 400)));
    await expect(client.job("j1")).rejects.toMatchObject({ code: "invalid_request", message: body.detail, issues });
  });

  it("throws the serving app's error by its status", async () => {
    const { url } = await serve(json({ error: "there is no model student" }, 404));
    const client = new WhittleClient({ url, serveUrl: url });
    const error = { code: "not_found", message: "there is no model student" };
    await expect(client.servedModel("student")).rejects.toMatchObject(error);
  });

  it("understands an answer that is not JSON, as from a proxy", async () => {
    const client = new WhittleClient(await serve((_request, response) => response.writeHead(503).end("<html>")));
    await expect(client.job("j1")).rejects.toMatchObject({
      code: "unavailable",
      message: expect.stringContaining("503"),
    });
  });

  it("says which server doesn't answer, and how it found out", async () => {
    const { url } = await serve(json({}));
    servers.pop()?.close();
    const message = expect.stringMatching(/the API at http:[^]* does not answer \(ECONNREFUSED\)/);
    await expect(new WhittleClient({ url }).jobs()).rejects.toMatchObject({ code: "unavailable", message });
  });

  it("asks a version for an explanation, typed arrays and all", async () => {
    const server = await serve(json({ values: [1, 2] }));
    const client = new WhittleClient({ url: server.url, serveUrl: server.url });
    const input = { name: "x", datatype: "FP32" as const, shape: [1, 2], data: Float32Array.of(1, 2) };
    const options = { class: "left", patch: 2, baseline: Float32Array.of(3, 4) };
    expect(await client.explain("student@2", input, options)).toEqual({ values: [1, 2] });
    await client.explain("student", input);
    expect(server.seen.map(({ url }) => url)).toEqual([
      "/v2/models/student/versions/2/explain",
      "/v2/models/student/explain",
    ]);
    const inputs = [{ ...input, data: [1, 2] }];
    expect(server.bodies.map((body): unknown => JSON.parse(body))).toEqual([
      { inputs, parameters: { class: "left", patch: 2, baseline: [3, 4] } },
      { inputs, parameters: {} },
    ]);
  });

  it("sends typed arrays to a version of a model by the Open Inference Protocol", async () => {
    const server = await serve(json({ model_name: "student", outputs: [] }));
    const client = new WhittleClient({ url: server.url, serveUrl: server.url });
    await client.predict("student@2", [{ name: "x", datatype: "FP32", shape: [1, 2], data: Float32Array.of(1, 2) }]);
    expect(server.seen[0]?.url).toBe("/v2/models/student/versions/2/infer");
    expect(JSON.parse(server.bodies[0] ?? "")).toEqual({
      inputs: [{ name: "x", datatype: "FP32", shape: [1, 2], data: [1, 2] }],
    });
  });
});

describe("a job's events", () => {
  it("end with the job, even while the server keeps the connection", async () => {
    expect(await ids(new WhittleClient(await serve(keptOpen)))).toEqual(["1-0", "2-0"]);
  });

  it("go on after a lost connection, with none missing and none twice", async () => {
    const server = await serve(
      stream(state("1-0", "running"), progress("2-0", 0.5)),
      (_request, response) => response.destroy(),
      json({ code: "unavailable", detail: "Redis does not answer" }, 503),
      stream(progress("3-0", 0.9), state("4-0", "completed")),
    );
    expect(await ids(new WhittleClient(server))).toEqual(["1-0", "2-0", "3-0", "4-0"]);
    expect(server.seen.map(({ headers }) => headers["last-event-id"])).toEqual([undefined, "2-0", "2-0", "2-0"]);
  });

  it("end when the job has ended and nothing is left", async () => {
    const client = new WhittleClient(await serve((_request, response) => response.writeHead(204).end()));
    expect(await ids(client, { after: "9-0" })).toEqual([]);
  });

  it("leave out messages that are not events", async () => {
    const client = new WhittleClient(
      await serve(stream('id: 1-0\ndata: {"type":"later"}\n\n', ": alive\n\n", state("2-0", "failed"))),
    );
    expect(await ids(client)).toEqual(["2-0"]);
  });

  it("throw what can't get better by trying again", async () => {
    const client = new WhittleClient(await serve(json({ code: "not_found", detail: "there is no job j1" }, 404)));
    await expect(ids(client)).rejects.toMatchObject({ code: "not_found" });
  });

  it("stop when they are not wanted any more", async () => {
    const controller = new AbortController();
    const { url } = await serve((_request, response) => response.writeHead(200).write(state("1-0", "running")));
    for await (const event of new WhittleClient({ url }).events("j1", { signal: controller.signal })) {
      expect(event.id).toBe("1-0");
      controller.abort();
    }
  });
});

describe("wait", () => {
  it("gives the job as it ended", async () => {
    const client = new WhittleClient(
      await serve(
        json({ id: "j1", state: "running" }),
        stream(state("1-0", "failed")),
        json({ id: "j1", state: "failed" }),
      ),
    );
    await expect(client.wait("j1")).resolves.toMatchObject({ state: "failed" });
  });
});
