import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { openNetwork, whyNoHosts, type Host, type Network } from "./hosts.ts";

const missing = whyNoHosts();
const waiting = { timeout: 20_000 };

/** Runs a shell's command on a host. */
function run(host: Host, script: string): string {
  const [first = "", ...rest] = host.command(["sh", "-c", script]);
  return execFileSync(first, rest, { encoding: "utf8" }).trim();
}

const skipped = missing === undefined ? "" : ` (SKIPPED: ${missing})`;

describe.skipIf(missing !== undefined)(`hosts${skipped}`, () => {
  let proc: string;
  let network: Network;
  beforeEach(async () => {
    proc = await mkdtemp(join(tmpdir(), "whittle-hosts-"));
    network = await openNetwork(proc, [0, 0]);
  });
  afterEach(async () => {
    await network.close();
    await rm(proc, { recursive: true });
  });

  it("have a name, processes and a /tmp of their own", () => {
    const [a, b] = network.hosts;
    if (!a || !b) throw new Error("two were asked for");
    expect([a, b].map((host) => run(host, "hostname"))).toEqual([a.name(), b.name()]);
    expect(new Set([a.name(), b.name(), hostname()]).size).toBe(3);
    run(a, "touch /tmp/mine");
    expect(run(b, "[ -e /tmp/mine ] || echo none")).toBe("none");
    expect(run(a, "cat /proc/1/comm; ls /proc | grep -c '^[0-9]'")).toMatch(/^sleep\n[3-6]$/);
  });

  it("that are unplugged send nothing and break no connection; one that is lost leaves nothing, and another comes", async () => {
    const [host] = network.hosts;
    if (!host) throw new Error("two were asked for");
    let heard = "";
    const ends: string[] = [];
    const server = createServer((socket: Socket) => {
      socket.on("data", (bytes) => (heard = String(bytes).trim().split("\n").at(-1) ?? ""));
      for (const end of ["end", "close", "error"]) socket.on(end, () => ends.push(end));
    });
    await once(server.listen(0, network.address), "listening");
    const address = server.address();
    const port = typeof address === "object" ? address?.port : undefined;
    const talk = `let i = 0; const s = require("net").connect(${port}, "${network.address}"); setInterval(() => s.write(i++ + "\\n"), 20)`;
    const [first = "", ...rest] = host.command([process.execPath, "-e", talk]);
    const ended = once(spawn(first, rest), "exit");
    await vi.waitFor(() => expect(Number(heard)).toBeGreaterThan(5), waiting);
    expect(network.processes().map(({ command }) => command)).toEqual([expect.stringContaining("setInterval")]);

    host.unplug();
    await sleep(100);
    const last = heard;
    await sleep(500);
    expect([heard, ends]).toEqual([last, []]);
    host.plug();
    await vi.waitFor(() => expect(Number(heard)).toBeGreaterThan(Number(last) + 20), waiting);

    const before = host.name();
    await host.lose();
    await ended;
    expect([network.processes(), ends]).toEqual([[], []]);
    await host.replace();
    expect(run(host, "hostname")).toBe(host.name());
    expect(host.name()).not.toBe(before);
    server.close();
  });
});
