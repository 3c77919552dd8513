import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { openStore } from "../../open.ts";
import { exampleDraft, startS3Server, type S3Fault, type S3Operation } from "../../testing/index.ts";
import { S3Driver } from "./driver.ts";

let server: Awaited<ReturnType<typeof startS3Server>>;
beforeAll(async () => {
  vi.stubEnv("AWS_ACCESS_KEY_ID", "key");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "secret");
  server = await startS3Server();
});
beforeEach(() => {
  server.bucket.objects.clear();
  server.options.fault = undefined;
  server.options.ignoresCondition = undefined;
  server.options.pageSize = 1000;
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await server.close();
});

/** Makes the first `times` requests of an operation go wrong. @returns which operations were asked for. */
function fail(operation: S3Operation, fault: S3Fault, times = 1): S3Operation[] {
  const asked: S3Operation[] = [];
  let left = times;
  server.options.fault = (next) => {
    asked.push(next);
    if (next !== operation || left === 0) return undefined;
    left -= 1;
    return fault;
  };
  return asked;
}

const bytes = new TextEncoder().encode("the content");
const unavailable: S3Fault = { kind: "refused", status: 503, code: "SlowDown" };
const broken: S3Fault = { kind: "refused", status: 500, code: "InternalError" };
const conflict: S3Fault = { kind: "refused", status: 409, code: "ConditionalRequestConflict" };
const partBytes = 5 * 2 ** 20;
const large = new Uint8Array(partBytes + 1000).map((_, index) => index % 251);

describe("content in parts", () => {
  const driver = () => new S3Driver(server.url(), { wholeBytes: partBytes, partBytes });

  it("is created once, and is what it was", async () => {
    expect(await driver().create("a", large)).toBe(true);
    expect(await driver().create("a", large.slice(1))).toBe(false);
    expect(Buffer.compare((await driver().read("a")) ?? bytes, large)).toBe(0);
    expect(server.bucket.objects.get("store/a")?.etag).toMatch(/-2$/);
  });

  it("takes the place of what is damaged, whoever else puts it there", async () => {
    await driver().create("a", large.slice(1));
    await Promise.all([driver().replace("a", large), driver().replace("a", large)]);
    expect(Buffer.compare((await driver().read("a")) ?? bytes, large)).toBe(0);
    expect(server.bucket.objects.get("store/a")?.etag).toMatch(/-2$/);
    expect(server.bucket.uploads.size).toBe(0);
  });

  it("is won by one of several writers, and the others withdraw what they sent", async () => {
    const won = await Promise.all([1, 2, 3].map((n) => driver().create("a", large.slice(n))));
    expect(won.filter(Boolean)).toHaveLength(1);
    expect((await driver().read("a"))?.byteLength).toBe(large.byteLength - 1 - won.indexOf(true));
    expect(server.bucket.uploads.size).toBe(0);
  });

  it.each<[S3Operation, S3Fault]>([
    ["UploadPart", broken],
    ["UploadPart", { kind: "lost" }],
    ["CompleteMultipartUpload", conflict],
    ["CompleteMultipartUpload", unavailable],
    ["CompleteMultipartUpload", { kind: "lost" }],
    ["CreateMultipartUpload", broken],
  ])("is its writer's although %s fails with %j", async (operation, fault) => {
    const asked = fail(operation, fault);
    expect(await driver().create("a", large)).toBe(true);
    expect(asked.filter((one) => one === operation).length).toBeGreaterThan(1);
    expect((await driver().read("a"))?.byteLength).toBe(large.byteLength);
    expect(server.bucket.uploads.size).toBe(0);
  });
});

describe("a writer", () => {
  it.each([broken, unavailable, conflict, { kind: "lost" } as const])(
    "creates its key in spite of %j",
    async (fault) => {
      const asked = fail("PutObject", fault, 2);
      expect(await new S3Driver(server.url()).create("a", bytes)).toBe(true);
      expect(asked.filter((one) => one === "PutObject").length).toBeGreaterThan(1);
      expect(await new S3Driver(server.url()).read("a")).toEqual(bytes);
    },
  );

  it("that lost an answer is still told when another was first", async () => {
    await new S3Driver(server.url()).create("a", bytes);
    fail("PutObject", { kind: "lost" });
    expect(await new S3Driver(server.url()).create("a", bytes)).toBe(false);
  });

  it("gives up after its attempts, naming the key and the server's reason", async () => {
    const asked = fail("PutObject", unavailable, Infinity);
    const writing = new S3Driver(server.url(), { attempts: 3 }).create("a/b", bytes);
    await expect(writing).rejects.toMatchObject({
      code: "unavailable",
      message: expect.stringMatching(/writing s3:\/\/bucket\/store\/a\/b: SlowDown/),
    });
    expect(asked).toHaveLength(3);
  });

  it.each<[S3Fault, RegExp]>([
    [{ kind: "refused", status: 403, code: "AccessDenied" }, /may not do that/],
    [{ kind: "refused", status: 501, code: "NotImplemented" }, /no conditional writes/],
  ])("does not repeat what was refused with %j", async (fault, reason) => {
    const asked = fail("PutObject", fault, Infinity);
    const writing = new S3Driver(server.url()).create("a", bytes);
    await expect(writing).rejects.toMatchObject({ code: "unavailable", message: expect.stringMatching(reason) });
    expect(asked).toEqual(["PutObject"]);
  });
});

describe("a reader", () => {
  it.each<S3Fault>([broken, { kind: "truncated" }, { kind: "damaged" }, { kind: "lost" }, { kind: "slow", ms: 50 }])(
    "gets the whole content in spite of %j",
    async (fault) => {
      await new S3Driver(server.url()).create("a", bytes);
      fail("GetObject", fault, 2);
      expect(await new S3Driver(server.url()).read("a")).toEqual(bytes);
    },
  );

  it.each<[S3Fault, string]>([
    [{ kind: "truncated" }, "unavailable"],
    [{ kind: "damaged" }, "corrupt"],
  ])("is never given a part or damage: %j is reported as %s", async (fault, code) => {
    await new S3Driver(server.url()).create("a", bytes);
    fail("GetObject", fault, Infinity);
    await expect(new S3Driver(server.url(), { attempts: 2 }).read("a")).rejects.toMatchObject({ code });
  });

  it("sees all pages of a listing", async () => {
    server.options.pageSize = 3;
    const driver = new S3Driver(server.url());
    const keys = Array.from({ length: 10 }, (_, index) => `m/${index}`);
    for (const key of keys) await driver.create(key, bytes);
    fail("ListObjectsV2", broken, 2);
    expect(await driver.list("m/")).toEqual(keys);
    expect(await driver.entries("m/")).toContainEqual({
      key: "m/3",
      size: bytes.byteLength,
      modified: expect.any(Number),
    });
  });
});

describe("opening a store on S3", () => {
  it("publishes to where its address says, and leaves nothing of its probe behind", async () => {
    const store = await openStore(server.url("teams/a"));
    await store.publish(exampleDraft("a"), { name: "m", jobId: "1", actor: "me" });
    expect([...server.bucket.objects.keys()].filter((key) => !key.startsWith("teams/a/blobs/"))).toEqual([
      "teams/a/models/m/versions/1.json",
    ]);
    expect(store.location).toBe("s3://bucket/teams/a/");
  });

  it("finds one identity at every endpoint that leads to the bucket", async () => {
    const store = await openStore(server.url());
    const elsewhere = server.url().replace("127.0.0.1", "localhost");
    expect(await (await openStore(elsewhere)).identity()).toBe(await store.identity());
  });

  it("keeps what was read in the user's cache, unless told otherwise", async () => {
    const cache = await mkdtemp(join(tmpdir(), "whittle-cache-"));
    vi.stubEnv("WHITTLE_CACHE_DIR", cache);
    const store = await openStore(server.url());
    const { digest } = await store.publish(exampleDraft("a"), { name: "m", jobId: "1", actor: "me" });
    await (await openStore(server.url(), { cache: false })).manifest(digest);
    expect(await readdir(cache)).toEqual([]);
    const manifest = await store.manifest(digest);
    expect(await readdir(join(cache, "blobs"))).toEqual([digest.replace(":", "-")]);
    server.bucket.objects.clear();
    expect(await store.manifest(digest)).toEqual(manifest);
    await rm(cache, { recursive: true });
  });

  it.each<S3Operation>(["PutObject", "CompleteMultipartUpload"])(
    "refuses a server whose %s ignores the condition",
    async (operation) => {
      server.options.ignoresCondition = [operation];
      await expect(openStore(server.url())).rejects.toMatchObject({
        code: "unavailable",
        message: expect.stringContaining("overwrites"),
      });
    },
  );

  it("says that there is no such bucket", async () => {
    await expect(openStore(server.url().replace("//bucket", "//another"))).rejects.toThrow("there is no such bucket");
  });

  it.each(["s3://", "s3:///prefix", "s3://bucket?endpoint=ftp://x", "s3://bucket?regoin=eu", "s3://key:secret@bucket"])(
    "refuses the address %j",
    async (url) => {
      await expect(openStore(url)).rejects.toMatchObject({ code: "invalid_request" });
    },
  );
});
