import { describe, expect, it } from "vitest";
import { readEnv } from "./env.ts";

describe("the environment", () => {
  it("may be empty", () => {
    expect(readEnv({})).toMatchObject({
      host: "127.0.0.1",
      port: 7701,
      store: ".whittle/store",
      models: [],
      onDemand: true,
      pollMs: 2000,
      logLevel: "info",
    });
  });

  it("sets numbers, switches and lists", () => {
    const environment = {
      WHITTLE_SERVE_PORT: "9000",
      WHITTLE_SERVE_MODELS: "a, b@prod,c@3,",
      WHITTLE_SERVE_ON_DEMAND: "false",
      WHITTLE_SERVE_MAX_DELAY_MS: "0.5",
      WHITTLE_SERVE_HOST: "",
      WHITTLE_SERVE_KEYS: "reader-0123456789:read, admin-0123456789a",
    };
    expect(readEnv(environment)).toMatchObject({
      host: "127.0.0.1",
      port: 9000,
      models: ["a", "b@prod", "c@3"],
      onDemand: false,
      maxDelayMs: 0.5,
      keys: [
        { key: "reader-0123456789", scope: "read" },
        { key: "admin-0123456789a", scope: "admin" },
      ],
    });
  });

  it.each([
    ["WHITTLE_SERVE_PORT", "http"],
    ["WHITTLE_SERVE_PORT", "70000"],
    ["WHITTLE_SERVE_THREADS", "0"],
    ["WHITTLE_SERVE_ON_DEMAND", "perhaps"],
    ["WHITTLE_SERVE_MODELS", "a@b@c"],
    ["WHITTLE_SERVE_MAX_BATCH", "1.5"],
    ["WHITTLE_SERVE_KEYS", "short"],
    ["WHITTLE_LOG_LEVEL", "loud"],
  ])("is refused when %s is %j", (variable, value) => {
    expect(() => readEnv({ [variable]: value })).toThrow(variable);
  });
});
