/**
 * A claim on a job that must be renewed in time. It does not need Redis to know that it is lost: when no renewal has succeeded for
 * 0.7 of its duration, by this process's clock, it calls `lost`, while nobody else can have taken the job yet.
 */
export interface Lease {
  stop(): void;
}

export function startLease(durationMs: number, renew: () => Promise<boolean>, lost: () => void): Lease {
  let held = performance.now();
  let renewing = false;
  const timer = setInterval(() => {
    if (performance.now() - held > 0.7 * durationMs) return give();
    if (renewing) return;
    renewing = true;
    const asked = performance.now();
    renew()
      .then((renewed) => (renewed ? void (held = asked) : give()))
      .catch(() => {}) // Not renewed: the clock above decides.
      .finally(() => (renewing = false));
  }, durationMs / 8);
  const stop = (): void => clearInterval(timer);
  const give = (): void => {
    stop();
    lost();
  };
  return { stop };
}
