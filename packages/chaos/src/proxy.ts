import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** Stands between a program and a server. */
export interface Proxy {
  port: number;
  /** Breaks every connection, and refuses new ones for `ms`. */
  cut(ms: number): void;
  /** Passes nothing on for `ms`; what comes meanwhile arrives after that. */
  stall(ms: number): void;
  close(): Promise<void>;
}

/** Listens on `address`, a loopback one by default. */
export async function startProxy(to: { host: string; port: number }, address = "127.0.0.1"): Promise<Proxy> {
  const pairs = new Set<[Socket, Socket]>();
  let refusesUntil = 0;
  let stallsUntil = 0;
  const server = createServer((inward) => {
    if (Date.now() < refusesUntil) {
      inward.destroy();
      return;
    }
    const pair: [Socket, Socket] = [inward, connect(to)];
    pairs.add(pair);
    join(pair, () => pairs.delete(pair));
    if (Date.now() < stallsUntil) for (const socket of pair) socket.pause();
  });
  server.listen(0, address);
  await once(server, "listening");
  const bound = server.address();
  const drop = (): void => pairs.forEach((pair) => pair.forEach((socket) => socket.destroy()));
  return {
    port: typeof bound === "object" && bound ? bound.port : 0,
    cut: (ms) => {
      refusesUntil = Date.now() + ms;
      drop();
    },
    stall: (ms) => {
      stallsUntil = Math.max(stallsUntil, Date.now() + ms);
      for (const pair of pairs) for (const socket of pair) socket.pause();
      setTimeout(() => {
        if (Date.now() < stallsUntil) return;
        for (const pair of pairs) for (const socket of pair) socket.resume();
      }, ms + 1);
    },
    close: async () => {
      server.close();
      drop();
      await once(server, "close");
    },
  };
}

/** What comes from one side goes to the other; when one is gone, so is the other. */
function join([inward, outward]: [Socket, Socket], gone: () => void): void {
  for (const [from, to] of [
    [inward, outward],
    [outward, inward],
  ] as const) {
    from.setNoDelay(true);
    from.on("data", (bytes) => to.write(bytes));
    from.on("error", () => {});
    from.on("close", () => {
      to.destroy();
      gone();
    });
  }
}
