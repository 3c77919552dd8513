import { setTimeout as delay } from "node:timers/promises";

const firstDelay = 100;
const longestDelay = 5_000;

/**
 * Does `work` until it comes through, with a pause of random length that doubles each time ("full jitter", Brooker 2015).
 * @param attempts how often at most.
 * @throws what the last attempt threw, or the first error that `mayHelp` says no to.
 */
export async function retry<T>(
  attempts: number,
  mayHelp: (error: unknown) => boolean,
  work: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt >= attempts || !mayHelp(error)) throw error;
      await delay(Math.random() * Math.min(longestDelay, firstDelay * 2 ** (attempt - 1)));
    }
  }
}
