/** What was found about one thing that Whittle needs. */
export interface Finding {
  subject: string;
  /** `warn`: works, but not as well as it could. `missing`: something will not work. */
  status: "ok" | "warn" | "missing";
  found: string;
  /** What to do about it. */
  advice?: string;
}

const marks = { ok: "ok  ", warn: "WARN", missing: "MISS" };

/** A finding as lines for a person; `seconds` is how long it took to find out. */
export function describe({ subject, status, found, advice }: Finding, seconds?: number): string {
  const time = seconds === undefined ? "" : ` (${seconds.toFixed(1)} s)`;
  const line = `${marks[status]} ${subject.padEnd(14)} ${found}${time}`;
  return advice === undefined ? line : `${line}\n     ${" ".repeat(14)} -> ${advice}`;
}
