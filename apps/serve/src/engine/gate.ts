import { AppError } from "@whittle/contracts";

/** Runs work, or refuses it. */
export type Gate = <T>(work: () => Promise<T>) => Promise<T>;

/**
 * Lets so much work run at a time; more is refused rather than kept waiting.
 * @param what names the work in errors: `explanations`.
 */
export function createGate(limit: number, what: string): Gate {
  let running = 0;
  return async (work) => {
    if (limit === 0) throw new AppError("unsupported", `this server answers no ${what}`);
    if (running >= limit) throw new AppError("unavailable", `${running} ${what} run already: try again later`);
    running += 1;
    try {
      return await work();
    } finally {
      running -= 1;
    }
  };
}
