import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { WhittleClient } from "./index.ts";

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** @returns the server's URL. */
async function serve(listener: RequestListener): Promise<string> {
  server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
}

describe("a client whose server is lost", () => {
  it.each<[string, RequestListener]>([
    ["never answers", () => {}],
    ["begins an answer and never ends it", (_request, response) => void response.writeHead(200).write('{"id":')],
  ])("gives up one that %s, and names it and the option", async (_, listener) => {
    const url = await serve(listener);
    const client = new WhittleClient({ url, serveUrl: url, timeoutMs: 200 });
    const late = (what: string) => ({
      code: "unavailable",
      retryable: true,
      message: `${what} within 0.2 s; the client's option timeoutMs sets this limit`,
    });
    await expect(client.job("j1")).rejects.toMatchObject(late(`the API at ${url} has not answered GET /v1/jobs/j1`));
    const report = `the API at ${url} has not answered GET /v1/models/m%401/report`;
    await expect(client.report("m@1")).rejects.toMatchObject(late(report));
    const model = `the serving app at ${url} has not answered GET /v2/models/m`;
    await expect(client.servedModel("m")).rejects.toMatchObject(late(model));
  });

  it("gives events, uploads, downloads and explanations more time", async () => {
    const ended = { type: "state", at: "2025-01-01T00:00:00.000Z", state: "completed" };
    const event = `id: 1-0\nevent: state\ndata: ${JSON.stringify(ended)}\n\n`;
    const url = await serve((request, response) => {
      setTimeout(() => response.end(request.url?.endsWith("/events") ? event : "{}"), 400);
    });
    const client = new WhittleClient({ url, serveUrl: url, timeoutMs: 100 });
    await expect(client.job("j1")).rejects.toMatchObject({ code: "unavailable" });
    expect(await client.events("j1").next()).toMatchObject({ value: { id: "1-0" } });
    expect(await client.upload(new Uint8Array(3))).toEqual({});
    expect(await client.uploadDataset("d", new Uint8Array(3))).toEqual({});
    expect(await client.download("m", "onnx")).toHaveLength(2);
    expect(await client.explain("m", { name: "x", datatype: "FP32", shape: [1, 1], data: [0] })).toEqual({});
  });
});
