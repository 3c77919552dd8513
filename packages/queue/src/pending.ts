/** Adds work that never rejects to what is pending, and takes it out when it has settled: a long run's past takes no memory. */
export function keepUntilSettled(pending: Set<Promise<void>>, work: Promise<void>): void {
  const kept = work.finally(() => pending.delete(kept));
  pending.add(kept);
}
