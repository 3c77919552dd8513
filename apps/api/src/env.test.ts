import { describe, expect, it } from "vitest";
import { readConfig } from "./env.ts";

describe("the API's environment", () => {
  it("may be empty, and so may each variable", () => {
    const names = [
      "WHITTLE_API_HOST",
      "WHITTLE_API_PORT",
      "REDIS_URL",
      "WHITTLE_PREFIX",
      "WHITTLE_STORE",
      "WHITTLE_API_KEYS",
      "WHITTLE_RATE_LIMIT",
      "WHITTLE_WEBHOOK_SECRET",
      "WHITTLE_WEBHOOK_HOSTS",
      "WHITTLE_BULL_BOARD_WRITABLE",
      "WHITTLE_BODY_LIMIT_BYTES",
      "WHITTLE_UPLOAD_BYTES",
      "WHITTLE_LOG_LEVEL",
    ];
    const defaults = readConfig({});
    expect(defaults).toMatchObject({ host: "127.0.0.1", port: 7700, keys: [], rateLimit: 3000 });
    for (const name of names) expect(readConfig({ [name]: "" }), name).toEqual(defaults);
  });

  it.each([
    ["WHITTLE_API_PORT", "http"],
    ["WHITTLE_API_KEYS", "short"],
    ["WHITTLE_RATE_LIMIT", "-1"],
    ["WHITTLE_WEBHOOK_SECRET", "secret"],
    ["WHITTLE_BULL_BOARD_WRITABLE", "perhaps"],
    ["REDIS_URL", "http://127.0.0.1"],
  ])("is refused when %s is %j", (variable, value) => {
    expect(() => readConfig({ [variable]: value })).toThrow(variable);
  });

  it("needs a secret where it allows webhooks", () => {
    expect(() => readConfig({ WHITTLE_WEBHOOK_HOSTS: "a.example" })).toThrow(/WHITTLE_WEBHOOK_SECRET: is missing/);
  });

  it("takes hosts for webhooks as URLs have them", () => {
    const hosts = "Example.com, *.Hooks.example 127.0.0.1 0:0::1 b\u00fccher.example";
    const environment = { WHITTLE_WEBHOOK_HOSTS: hosts, WHITTLE_WEBHOOK_SECRET: `whsec_${"A".repeat(32)}` };
    const same = ["example.com", "*.hooks.example", "127.0.0.1", "::1", "xn--bcher-kva.example"];
    expect(readConfig(environment).webhooks?.hosts).toEqual(same);
  });

  it.each(["https://a.example", "a.example:8080", "a.example/hook", "[::1]", "*", "me@a.example"])(
    "refuses %s as a host for webhooks, and says what would be right",
    (host) => {
      const environment = { WHITTLE_WEBHOOK_HOSTS: `b.example,${host}` };
      const message = `WHITTLE_WEBHOOK_HOSTS.1: must be a name, *.name or an address, without scheme, port and path, not "${host}"`;
      expect(() => readConfig(environment)).toThrow(message);
    },
  );
});
