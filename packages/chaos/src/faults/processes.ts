import { setTimeout as sleep } from "node:timers/promises";
import { signal } from "../processes.ts";
import { onBusyWorker, type Arena, type Fault } from "./arena.ts";

const killWorker: Fault = {
  kind: "worker killed",
  strike: (arena) =>
    onBusyWorker(arena, async ({ program }) => {
      arena.history.add({ what: "fault", kind: "worker killed", target: program.name, pids: [program.pid()] });
      program.signal("SIGKILL");
    }),
};

const killChild: Fault = {
  kind: "child killed",
  strike: (arena) =>
    onBusyWorker(arena, async ({ program }, child) => {
      arena.history.add({ what: "fault", kind: "child killed", target: program.name, pids: [child] });
      signal(child, "SIGKILL");
    }),
};

/** Longer than the lease, so that another worker takes the job meanwhile. */
async function freeze(arena: Arena, kind: string, target: string, pids: number[]): Promise<void> {
  const ms = arena.system.leaseMs * arena.random.between(1.2, 2.5);
  arena.history.add({ what: "fault", kind, target, until: Date.now() + ms });
  for (const pid of pids) signal(pid, "SIGSTOP");
  await sleep(ms);
  for (const pid of pids) signal(pid, "SIGCONT");
}

const freezeWorker: Fault = {
  kind: "worker frozen past its lease",
  strike: (arena) =>
    onBusyWorker(arena, ({ program }) => freeze(arena, "worker frozen past its lease", program.name, [program.pid()])),
};

const freezeBoth: Fault = {
  kind: "worker and child frozen past the lease",
  strike: (arena) =>
    onBusyWorker(arena, ({ program }, child) =>
      freeze(arena, "worker and child frozen past the lease", program.name, [program.pid(), child]),
    ),
};

const drainWorker: Fault = {
  kind: "worker told to leave",
  strike: (arena) =>
    onBusyWorker(arena, async ({ program }) => {
      arena.history.add({ what: "fault", kind: "worker told to leave", target: program.name });
      program.signal("SIGTERM");
    }),
};

/** Smaller than a checkpoint, so that the worker can't keep one nor publish. */
const limitKibibytes = 16;

const limitFiles: Fault = {
  kind: "file size limited",
  possible: ({ disk }) => disk !== undefined,
  strike: (arena) =>
    onBusyWorker(arena, async ({ program }) => {
      const ms = arena.random.between(1500, 4000);
      const pids = [program.pid()];
      arena.history.add({
        what: "fault",
        kind: "file size limited",
        target: program.name,
        pids,
        until: Date.now() + ms,
      });
      program.restart(limitKibibytes);
      await sleep(ms);
      program.restart();
    }),
};

export const processFaults = [killWorker, killChild, freezeWorker, freezeBoth, drainWorker, limitFiles];
