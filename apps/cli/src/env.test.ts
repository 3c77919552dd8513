import { expect, it } from "vitest";
import { strongestKey } from "./env.ts";

it.each([
  ["", undefined],
  [" , ", undefined],
  ["plain-key", "plain-key"],
  ["looking:read, working:submit ,all:admin", "all"],
  ["looking:read,everything", "everything"],
  ["with:colon:read", "with:colon"],
])("sends the strongest of the API's keys %j without its scope: %j", (list, key) => {
  expect(strongestKey(list)).toBe(key);
});
