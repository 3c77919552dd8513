import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import type { ToChild } from "./messages.ts";

/** Sends a message; that the child is gone is seen from its exit. */
export function tell(child: ChildProcess, message: ToChild): void {
  if (child.connected) child.send(message, () => {});
}

export function onLine(stream: Readable | null, listener: (line: string) => void): void {
  if (stream) createInterface({ input: stream }).on("line", listener);
}
