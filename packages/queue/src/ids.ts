import { randomBytes } from "node:crypto";

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
const timeChars = 10;
const randomBits = 80n;

let lastTime = 0;
let lastRandom = 0n;

/**
 * A new id: 26 characters of Crockford's base 32 in lower case, 48 bits of time in milliseconds and 80 random ones (a ULID).
 * Ids sort as they were made, also within one millisecond of one process.
 */
export function newId(now = Date.now()): string {
  const sameTick = now <= lastTime;
  lastTime = sameTick ? lastTime : now;
  lastRandom = sameTick ? lastRandom + 1n : BigInt(`0x${randomBytes(10).toString("hex")}`) >> 1n;
  let value = (BigInt(lastTime) << randomBits) | lastRandom;
  let text = "";
  for (let at = 0; at < 26; at++, value >>= 5n) text = alphabet.charAt(Number(value & 31n)) + text;
  return text;
}

/** The smallest id that can be made at a time, in milliseconds since 1970. */
export function firstIdAt(time: number): string {
  let text = "";
  for (let at = 0, rest = time; at < timeChars; at++, rest = Math.floor(rest / 32))
    text = alphabet.charAt(rest % 32) + text;
  return text.padEnd(26, "0");
}
