import { setTimeout as sleep } from "node:timers/promises";
import { signal } from "../processes.ts";
import type { Arena, Fault } from "./arena.ts";

const killRedis: Fault = {
  kind: "Redis killed",
  strike: ({ system, history, random, alone }) =>
    alone("Redis", async () => {
      const ms = random.between(0, system.leaseMs);
      history.add({ what: "fault", kind: "Redis killed", target: "Redis", until: Date.now() + ms });
      signal(system.redis.pid(), "SIGKILL");
      await sleep(ms);
      await system.redis.startAgain();
      return true;
    }),
};

const freezeRedis: Fault = {
  kind: "Redis frozen",
  strike: ({ system, history, random, alone }) =>
    alone("Redis", async () => {
      const ms = system.leaseMs * random.between(0.2, 1.5);
      history.add({ what: "fault", kind: "Redis frozen", target: "Redis", until: Date.now() + ms });
      signal(system.redis.pid(), "SIGSTOP");
      await sleep(ms);
      signal(system.redis.pid(), "SIGCONT");
      return true;
    }),
};

function onNetwork(kind: string, way: "cut" | "stall"): Fault {
  const strike = ({ system, history, random, alone }: Arena): Promise<boolean> => {
    const worker = random.pick(system.workers);
    if (!worker) return Promise.resolve(false);
    return alone(`network of ${worker.program.name}`, async () => {
      const ms = system.leaseMs * random.between(0.05, 1.5);
      history.add({ what: "fault", kind, target: worker.program.name, until: Date.now() + ms });
      worker.proxy[way](ms);
      await sleep(ms);
      return true;
    });
  };
  return { kind, strike };
}

export const redisFaults = [
  killRedis,
  freezeRedis,
  onNetwork("network to Redis cut", "cut"),
  onNetwork("network to Redis stalled", "stall"),
];
