import { describe, expect, it } from "vitest";
import { parse } from "./parse.ts";
import { redisAddress, redisUrl } from "./redis-url.ts";

describe("the URL of a Redis", () => {
  it.each(["redis://127.0.0.1:6379", "redis://host", "rediss://user:pass@host:6380/3", "redis://[::1]:6379"])(
    "%s names one server",
    (url) => {
      expect(redisAddress(parse(redisUrl, url, "The URL"))).toEqual({ cluster: false, urls: [url] });
    },
  );

  it.each([
    ["redis+cluster://a:7000", ["redis://a:7000"]],
    ["redis+cluster://a:7000,b:7001", ["redis://a:7000", "redis://b:7001"]],
    ["redis+cluster://[::1]:7000,[::2]:7000", ["redis://[::1]:7000", "redis://[::2]:7000"]],
    ["rediss+cluster://me:pa,ss@a:7000,b:7001", ["rediss://me:pa,ss@a:7000", "rediss://me:pa,ss@b:7001"]],
  ])("%s names nodes of a cluster", (url, urls) => {
    expect(redisAddress(parse(redisUrl, url, "The URL"))).toEqual({ cluster: true, urls });
  });

  it.each([
    "http://host",
    "redis://",
    "host:6379",
    "redis://a:7000,b:7001",
    "redis+cluster://a",
    "redis+cluster://a:7000,",
    "redis+cluster://a:7000,b",
    "redis+cluster://a:7000/1",
    "redis+cluster://me:secret@a:x",
  ])("%s is refused, and what would be right is said without the password", (url) => {
    const reading = (): unknown => parse(redisUrl, url, "The URL");
    expect(reading).toThrow(/must be redis:\/\/\[user:password@\]host.*redis\+cluster/);
    expect(reading).not.toThrow(/secret/);
  });
});
