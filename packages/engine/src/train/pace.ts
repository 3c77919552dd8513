import { setImmediate } from "node:timers/promises";
import { AppError } from "@whittle/contracts";

/** How long the event loop may be kept waiting, in milliseconds. */
const longest = 50;

/** Lets messages, timers and signals through while a long computation runs. */
export interface Pace {
  /** Whether the event loop has waited long enough. */
  due(): boolean;
  rest(): Promise<void>;
}

export function createPace(): Pace {
  let since = performance.now();
  return {
    due: () => performance.now() - since >= longest,
    async rest() {
      await setImmediate();
      since = performance.now();
    },
  };
}

/** @throws AppError `cancelled` once the signal is aborted. */
export function throwIfAborted(signal: AbortSignal | undefined, what: string): void {
  if (signal?.aborted) throw new AppError("cancelled", `${what} was cancelled`, { cause: signal.reason });
}
