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

/** Runs a private Redis on a folder, and starts it again, with what it had on disk, when it ends. */
export async function keepRedis(dir: string, say: (line: string) => void): Promise<KeptRedis> {
  let server = await startRedis({ dir });
  const leave = new AbortController();
  const watch = async (): Promise<never> => {
    for await (const _ of setInterval(lookEveryMs, undefined, { signal: leave.signal, ref: false })) {
      if (isAlive(server.pid)) continue;
      say("Redis has ended; starting it again, with what it had on disk");
      const again = await startRedis({ dir });
      if (again.url !== server.url) {
        await again.close();
        throw new AppError("unavailable", "Redis has ended, and its port is taken now");
      }
      server = again;
    }
    throw new AppError("cancelled", "Redis is not watched any more");
  };
  const failure = watch().catch((error: unknown) => {
    // What was stopped on purpose is no failure.
    if (leave.signal.aborted) return new Promise<never>(() => {});
    throw toAppError(error);
  });
  failure.catch(() => {});
  const close = async (): Promise<void> => {
    leave.abort();
    await server.close();
  };
  return { url: server.url, shared: server.shared, failure, close };
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
