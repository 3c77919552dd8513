import { once } from "node:events";
import express, { type RequestHandler, type Response } from "express";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { takeTurns } from "./bytes.ts";

const begun = new Map<string, Response>();
const gone: string[] = [];
let server: ReturnType<ReturnType<typeof express>["listen"]>;
let url: string;

beforeEach(async () => {
  const app = express();
  const note: RequestHandler = ({ path }, response, next) => {
    response.once("close", () => gone.push(path.slice(1)));
    next();
  };
  app.post("/:name", note, takeTurns(2), ({ path }, response) => void begun.set(path.slice(1), response));
  server = app.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  url = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
});
afterEach(() => {
  begun.clear();
  gone.length = 0;
  server.closeAllConnections();
  server.close();
});

const names = () => [...begun.keys()];
/** Those that have begun, once there are so many. */
async function firstOf(count: number): Promise<string[]> {
  await vi.waitFor(() => expect(names()).toHaveLength(count), { timeout: 20_000 });
  return names();
}

/** Sends one, and waits until it has begun or had the time to. */
async function send(name: string, signal?: AbortSignal): Promise<void> {
  const sent = fetch(`${url}/${name}`, { method: "POST", ...(signal && { signal }) });
  sent.catch(() => {});
  await Promise.race([sent.catch(() => {}), new Promise((resolve) => setTimeout(resolve, 100))]);
}

it("lets two go on, and the next when one is answered, in their order", async () => {
  for (const name of ["a", "b", "c", "d"]) await send(name);
  expect(await firstOf(2)).toEqual(["a", "b"]);
  begun.get("b")?.end();
  expect(await firstOf(3)).toEqual(["a", "b", "c"]);
  begun.get("c")?.end();
  expect(await firstOf(4)).toEqual(["a", "b", "c", "d"]);
});

it("goes on when a sender is gone, whether his turn has come or not", async () => {
  const [running, waiting] = [new AbortController(), new AbortController()];
  await send("a");
  await send("b", running.signal);
  await send("c", waiting.signal);
  await send("d");
  expect(await firstOf(2)).toEqual(["a", "b"]);
  waiting.abort();
  await vi.waitFor(() => expect(gone).toContain("c"), { timeout: 20_000 });
  running.abort();
  expect(await firstOf(3)).toEqual(["a", "b", "d"]);
});
