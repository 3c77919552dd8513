import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { download, fetchJson } from "./download.ts";

const sha256OfText = "982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1"; // Of "text", from sha256sum.
let dir: string;
let server: Server;
let url: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "whittle-download-"));
  server = createServer((request, response) => {
    if (request.url === "/json") response.end('{"a":1}');
    else if (request.url === "/file") response.end("text");
    else if (request.url === "/silent") response.write("te");
    else response.writeHead(404).end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  url = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
});

afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await rm(dir, { recursive: true });
});

it("fetches a file whose checksum is right", async () => {
  await download(`${url}/file`, join(dir, "file"), sha256OfText);
  expect(await readFile(join(dir, "file"), "utf8")).toBe("text");
});

it("refuses a file whose checksum is wrong", async () => {
  const refused = download(`${url}/file`, join(dir, "file"), "0".repeat(64));
  await expect(refused).rejects.toMatchObject({ code: "corrupt", message: expect.stringContaining(sha256OfText) });
});

it("gives up on a server that falls silent", async () => {
  const stalled = download(`${url}/silent`, join(dir, "file"), undefined, 200);
  await expect(stalled).rejects.toMatchObject({ code: "unavailable", message: expect.stringContaining("0.2 s") });
});

it("says what a server answers, and when there is none", async () => {
  await expect(fetchJson(`${url}/nothing`)).rejects.toMatchObject({ message: expect.stringContaining("HTTP 404") });
  await expect(fetchJson("http://127.0.0.1:1")).rejects.toMatchObject({ code: "unavailable" });
  expect(await fetchJson(`${url}/json`)).toEqual({ a: 1 });
});
