import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { AppError } from "@whittle/contracts";

/** How long a server may stay silent. */
const silenceMs = 10_000;

/**
 * Fetches `url` into `file`.
 * @throws AppError `unavailable` when the server refuses or falls silent; `corrupt` when `sha256` is given and differs.
 */
export async function download(url: string, file: string, sha256?: string, patienceMs = silenceMs): Promise<void> {
  const hash = createHash("sha256");
  await reach(url, patienceMs, async (response, alive) => {
    const tap = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        alive();
        hash.update(chunk);
        done(null, chunk);
      },
    });
    await pipeline(Readable.from(response.body ?? []), tap, createWriteStream(file));
  });
  const actual = hash.digest("hex");
  if (sha256 !== undefined && actual !== sha256)
    throw new AppError("corrupt", `${url} has SHA-256 ${actual}, not ${sha256}`);
}

export async function fetchJson(url: string): Promise<unknown> {
  return reach(url, silenceMs, (response) => response.json());
}

/** Calls `read` with the answer; the request ends when `patienceMs` pass without a call of `alive`. */
async function reach<T>(
  url: string,
  patienceMs: number,
  read: (response: Response, alive: () => void) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const giveUp = (): void => controller.abort(new Error(`no answer for ${patienceMs / 1000} s`));
  const timer = setTimeout(giveUp, patienceMs);
  try {
    const response = await fetch(url, { signal: controller.signal });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    return await read(response, () => timer.refresh());
  } catch (error) {
    throw new AppError("unavailable", `${url}: ${reason(error)}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

/** `fetch` says "fetch failed" and keeps the reason in its cause. */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
