import { describe, expect, it } from "vitest";
import { readConfig } from "./env.ts";

describe("the key that is sent", () => {
  it.each([
    ["", undefined],
    [" , ", undefined],
    ["plain-key-0123456789", "plain-key-0123456789"],
    ["looking-0123456789:read, working-0123456789:submit ,all-0123456789abc:admin", "all-0123456789abc"],
    ["looking-0123456789:read,everything-0123456789", "everything-0123456789"],
    ["with:colon-0123456789:read", "with:colon-0123456789"],
  ])("is the strongest of the API's keys %j, without its scope: %j", (list, key) => {
    expect(readConfig({ WHITTLE_API_KEYS: list }).key).toBe(key);
  });

  it("is WHITTLE_KEY where there is one, unless that is empty", () => {
    const WHITTLE_API_KEYS = "plain-key-0123456789";
    expect(readConfig({ WHITTLE_API_KEYS, WHITTLE_KEY: "mine" }).key).toBe("mine");
    expect(readConfig({ WHITTLE_API_KEYS, WHITTLE_KEY: "" }).key).toBe(WHITTLE_API_KEYS);
  });

  it("is for the serving app WHITTLE_SERVE_KEY, else the strongest of its own keys", () => {
    const WHITTLE_SERVE_KEYS = "looking-0123456789:read,serving-0123456789";
    const given = { WHITTLE_KEY: "mine", WHITTLE_SERVE_KEYS };
    expect(readConfig({ ...given, WHITTLE_SERVE_KEY: "its" })).toMatchObject({ key: "mine", serveKey: "its" });
    expect(readConfig(given)).toMatchObject({ key: "mine", serveKey: "serving-0123456789" });
    expect(readConfig({ WHITTLE_KEY: "mine" })).toMatchObject({ key: "mine", serveKey: undefined });
  });
});
