import { apiKeys } from "@whittle/contracts";
import { expect, it } from "vitest";
import { strongestKey } from "./env.ts";

it.each([
  ["", undefined],
  [" , ", undefined],
  ["plain-key-0123456789", "plain-key-0123456789"],
  ["looking-0123456789:read, working-0123456789:submit ,all-0123456789abc:admin", "all-0123456789abc"],
  ["looking-0123456789:read,everything-0123456789", "everything-0123456789"],
  ["with:colon-0123456789:read", "with:colon-0123456789"],
])("sends the strongest of the API's keys %j without its scope: %j", (list, key) => {
  expect(strongestKey(apiKeys.parse(list))).toBe(key);
});
