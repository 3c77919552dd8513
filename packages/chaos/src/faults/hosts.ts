import { setTimeout as sleep } from "node:timers/promises";
import type { Host } from "../hosts.ts";
import type { System } from "../system.ts";
import { onBusyWorker, type Arena, type Fault } from "./arena.ts";

const possible = ({ apiHost }: System): boolean => apiHost !== undefined;

/** Nothing comes through, and no connection breaks: what is sent waits, and comes late. */
async function unplug({ system, history, random }: Arena, kind: string, target: string, host: Host): Promise<void> {
  const ms = system.leaseMs * random.between(0.2, 2.5);
  history.add({ what: "fault", kind, target, until: Date.now() + ms });
  host.unplug();
  await sleep(ms);
  host.plug();
}

async function lose(arena: Arena, kind: string, target: string, host: Host, pids: number[]): Promise<void> {
  const ms = arena.system.leaseMs * arena.random.between(0, 1.5);
  arena.history.add({ what: "fault", kind, target, pids, until: Date.now() + ms });
  await host.lose();
  await sleep(ms);
  await host.replace();
}

const unplugWorker: Fault = {
  kind: "worker's host unplugged",
  possible,
  strike: (arena) =>
    onBusyWorker(arena, async ({ program, host }) => {
      if (host) await unplug(arena, "worker's host unplugged", program.name, host);
    }),
};

const loseWorker: Fault = {
  kind: "worker's host lost, another comes",
  possible,
  strike: (arena) =>
    onBusyWorker(arena, async ({ program, host }, child) => {
      const pids = [program.pid(), child];
      if (host) await lose(arena, "worker's host lost, another comes", program.name, host, pids);
    }),
};

const unplugApi: Fault = {
  kind: "API's host unplugged",
  possible,
  strike: (arena) =>
    arena.alone("API", async () => {
      const { apiHost } = arena.system;
      if (!apiHost) return false;
      await unplug(arena, "API's host unplugged", "API", apiHost);
      return true;
    }),
};

const loseApi: Fault = {
  kind: "API's host lost in mid-submit, another comes",
  possible,
  strike: (arena) =>
    arena.alone("API", async () => {
      const { system, load, random } = arena;
      if (!system.apiHost || load.isFull()) return false;
      const submitted = [load.submit(), load.submit(2)];
      await sleep(random.between(0, 40));
      const pids = [system.api.pid()];
      await lose(arena, "API's host lost in mid-submit, another comes", "API", system.apiHost, pids);
      await Promise.all(submitted);
      return true;
    }),
};

export const hostFaults = [unplugWorker, loseWorker, unplugApi, loseApi];
