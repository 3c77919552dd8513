import { once } from "node:events";
import { connect, createServer, type Server } from "node:net";
import { afterEach, beforeEach, expect, it } from "vitest";
import { startProxy, type Proxy } from "./proxy.ts";

let echo: Server;
let proxy: Proxy;

beforeEach(async () => {
  echo = createServer((socket) => socket.on("error", () => {}).pipe(socket)).listen(0, "127.0.0.1");
  await once(echo, "listening");
  const address = echo.address();
  proxy = await startProxy({ host: "127.0.0.1", port: typeof address === "object" && address ? address.port : 0 });
});
afterEach(async () => {
  await proxy.close();
  echo.close();
});

function open() {
  const socket = connect(proxy.port, "127.0.0.1");
  socket.on("error", () => {});
  return socket;
}

it("passes on what comes from either side", async () => {
  const socket = open();
  socket.write("hello");
  expect(String((await once(socket, "data"))[0])).toBe("hello");
  socket.destroy();
});

it("passes on what came while it stalled, after that", async () => {
  const socket = open();
  socket.write("first");
  await once(socket, "data");
  const began = Date.now();
  proxy.stall(300);
  socket.write("held");
  expect(String((await once(socket, "data"))[0])).toBe("held");
  expect(Date.now() - began).toBeGreaterThanOrEqual(300);
  socket.destroy();
});

it("breaks connections when it is cut, and takes new ones after that", async () => {
  const broken = open();
  broken.write("first");
  await once(broken, "data");
  const gone = once(broken, "close");
  proxy.cut(60_000);
  await gone;
  const refused = open();
  await once(refused, "close");
  proxy.cut(-1);
  const socket = open();
  socket.write("again");
  expect(String((await once(socket, "data"))[0])).toBe("again");
  socket.destroy();
});
