import { setInterval } from "node:timers/promises";
import { AppError, toAppError } from "@whittle/contracts";
import { startRedis } from "@whittle/queue/server";

export interface KeptRedis {
  url: string;
  /** Whether another process started it. */
  shared: boolean;
  /** Rejects when it has ended and can't be started again at the same address. */
  failure: Promise<never>;
  close(): Promise<void>;
}

const lookEveryMs = 1000;

/** Runs a private Redis on a folder, and starts it again, with what it had on disk, when it ends. It does not outlive this process. */
export async function keepRedis(dir: string, say: (line: string) => void): Promise<KeptRedis> {
  let server = await startRedis({ dir });
  let starting = Promise.resolve();
  const leave = new AbortController();
  const startAgain = async (): Promise<void> => {
    const again = await startRedis({ dir });
    if (again.url !== server.url) {
      await again.close();
      throw new AppError("unavailable", "Redis has ended, and its port is taken now");
    }
    server = again;
  };
  const watch = async (): Promise<never> => {
    for await (const _ of setInterval(lookEveryMs, undefined, { signal: leave.signal, ref: false })) {
      if (signalled(server.pid, 0)) continue;
      say("Redis has ended; starting it again, with what it had on disk");
      await (starting = startAgain());
    }
    throw new AppError("cancelled", "Redis is not watched any more");
  };
  const failure = watch().catch((error: unknown) => {
    // What was stopped on purpose is no failure.
    if (leave.signal.aborted) return new Promise<never>(() => {});
    throw toAppError(error);
  });
  failure.catch(() => {});
  const onExit = (): void => void (server.shared || signalled(server.pid, "SIGTERM"));
  process.once("exit", onExit);
  const close = async (): Promise<void> => {
    leave.abort();
    await starting.catch(() => {});
    await server.close();
    process.off("exit", onExit);
  };
  let closing: Promise<void> | undefined;
  return { url: server.url, shared: server.shared, failure, close: () => (closing ??= close()) };
}

/** @returns whether there is such a process. */
function signalled(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}
