/** Loaded before a program: from then on its clock is ahead by `CHAOS_SKEW_MS`, as its host's is said to be. */
import { clockSkewMs } from "./skew.ts";

const machineNow = Date.now;
const now = (): number => machineNow() + clockSkewMs;

globalThis.Date = new Proxy(Date, {
  construct: (machine, given) => {
    const made: Date = Reflect.construct(machine, given.length === 0 ? [now()] : given);
    return made;
  },
  get: (machine, name): unknown => (name === "now" ? now : Reflect.get(machine, name)),
});
