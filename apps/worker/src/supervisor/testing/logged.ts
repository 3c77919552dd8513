import pino, { type Logger } from "pino";

export interface Logged {
  log: Logger;
  /** What was logged, oldest first. */
  lines: { msg: string; child?: number }[];
}

export function logged(): Logged {
  const lines: Logged["lines"] = [];
  return { log: pino({ level: "debug" }, { write: (line: string) => lines.push(JSON.parse(line)) }), lines };
}
