import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { openStore } from "../../open.ts";
import { exampleDraft, startS3Server, testStore } from "../../testing/index.ts";
import { S3Driver } from "./driver.ts";

/**
 * What the driver needs of any server of S3's protocol: `WHITTLE_TEST_STORE=s3://bucket/prefix?endpoint=…` names one that is running,
 * with credentials as the AWS SDK finds them; else the test server is taken.
 */
const given = process.env["WHITTLE_TEST_STORE"];
let server: Awaited<ReturnType<typeof startS3Server>> | undefined;
beforeAll(async () => {
  if (given !== undefined) return;
  vi.stubEnv("AWS_ACCESS_KEY_ID", "key");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "secret");
  server = await startS3Server();
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await server?.close();
});

/** The address of a new, empty place. */
function newPlace(): string {
  const url = new URL(given ?? server?.url() ?? "");
  url.pathname = `${url.pathname.replace(/\/$/, "")}/${randomUUID()}`;
  return url.href;
}

testStore("S3", async () => {
  const url = newPlace();
  return { driver: new S3Driver(url), again: () => new S3Driver(url) };
});

const partBytes = 5 * 2 ** 20;
const large = new Uint8Array(2 * partBytes + 1000).map((_, index) => index % 251);

describe("content in parts", () => {
  const newDrivers = (): (() => S3Driver) => {
    const url = newPlace();
    return () => new S3Driver(url, { wholeBytes: partBytes, partBytes });
  };
  const read = async (driver: S3Driver): Promise<Buffer> => Buffer.from((await driver.read("a")) ?? []);

  it("is created once, and is what it was", async () => {
    const driver = newDrivers();
    expect(await driver().create("a", large)).toBe(true);
    expect(await driver().create("a", large.slice(1))).toBe(false);
    expect((await read(driver())).equals(large)).toBe(true);
    expect(await driver().stat("a")).toEqual({ size: large.byteLength });
  });

  it("is won by one of several writers at a time", async () => {
    const driver = newDrivers();
    const won = await Promise.all([0, 1, 2].map((n) => driver().create("a", large.slice(n))));
    expect(won.filter(Boolean)).toHaveLength(1);
    expect((await read(driver())).equals(large.slice(won.indexOf(true)))).toBe(true);
  });

  it("takes the place of what is damaged", async () => {
    const driver = newDrivers();
    await driver().create("a", large.slice(1));
    await Promise.all([driver().replace("a", large), driver().replace("a", large)]);
    expect((await read(driver())).equals(large)).toBe(true);
  });
});

it("a listing has all keys, in the order of their bytes, also where it takes several pages", async () => {
  const driver = new S3Driver(newPlace());
  const keys = Array.from({ length: 1005 }, (_, index) => `m/${String(index).padStart(4, "0")}`);
  for (let at = 0; at < keys.length; at += 50)
    await Promise.all(keys.slice(at, at + 50).map((key) => driver.create(key, new Uint8Array())));
  expect(await driver.list("m/")).toEqual(keys);
});

it("a store is opened, and its probe passes", async () => {
  const place = newPlace();
  const store = await openStore(place, { cache: false });
  const { digest } = await store.publish(exampleDraft("a"), { name: "m", jobId: "1", actor: "me" });
  expect((await (await openStore(place, { cache: false })).resolve("m@1")).digest).toBe(digest);
});

it("a bucket that is not there is named as the reason", async () => {
  const place = newPlace().replace(/\/\/[^/]*/, `//none-${randomUUID()}`);
  await expect(openStore(place)).rejects.toThrow(/failed writing .*: there is no such bucket/);
});
