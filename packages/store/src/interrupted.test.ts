import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { digestOf } from "./blobs.ts";
import { FsDriver } from "./drivers/fs.ts";
import { ArtifactStore } from "./store.ts";
import { bundleFixture } from "./testing/bundle.ts";
import { exampleDraft } from "./testing/index.ts";

let root: string;
let program: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "whittle-interrupted-"));
  program = await bundleFixture("publisher", root);
});
afterAll(() => rm(root, { recursive: true }));

const printedRecord = z.object({ version: z.int(), calls: z.int() });

/** Starts a publisher. `outcome` is what it prints, or undefined when it was killed. */
function publisher(folder: string, jobId: string, content: string, killAt = 0) {
  const child = spawn(process.execPath, [program, folder, jobId, content, String(killAt)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const outcome = Promise.all([text(child.stdout), once(child, "close")]).then(([printed, [code, signal]]) => {
    if (signal === "SIGKILL") return undefined;
    expect(code).toBe(0);
    return printedRecord.parse(JSON.parse(printed));
  });
  return { kill: () => child.kill("SIGKILL"), outcome };
}

/** Expects that whatever can be seen is whole. */
async function expectSound(folder: string): Promise<void> {
  const driver = new FsDriver(folder);
  for (const key of await driver.list("blobs/"))
    expect(digestOf((await driver.read(key)) ?? new Uint8Array())).toBe(`sha256:${key.split("/").at(-1)}`);
  const store = new ArtifactStore(driver);
  for (const { name, versions, aliases } of await store.models()) {
    expect(versions).toEqual(versions.map((_, index) => index + 1));
    for (const version of versions) expect(await store.verify((await store.version(name, version)).digest)).toEqual([]);
    for (const alias of Object.keys(aliases)) await store.resolve(`${name}@${alias}`);
  }
}

/** Expects that a publication killed at `call` is sound, and one version with its alias after it is repeated. */
async function expectRepeatable(call: number): Promise<void> {
  const folder = join(root, `killed-at-${call}`);
  expect(await publisher(folder, "job", "content", call).outcome).toBeUndefined();
  await expectSound(folder);
  const store = new ArtifactStore(new FsDriver(folder));
  const to = { name: "m", alias: "prod", jobId: "job", actor: "me" };
  const { version, digest } = await store.publish(exampleDraft("content"), to);
  expect(version).toBe(1);
  expect(await store.resolve("m@prod")).toMatchObject({ version: 1, digest });
  expect(await store.verify(digest)).toEqual([]);
}

// Some hundred processes: seconds on an idle machine, minutes on a busy one.
describe("a publication", { timeout: 300_000 }, () => {
  it("that is killed at any of its calls leaves nothing half-written, and is completed by repeating it", async () => {
    const whole = await publisher(join(root, "whole"), "job", "content").outcome;
    expect(whole?.calls).toBeGreaterThan(30);
    const calls = Array.from({ length: whole?.calls ?? 0 }, (_, index) => index + 1);
    while (calls.length > 0) await Promise.all(calls.splice(0, 4).map(expectRepeatable));
  });

  it("of one job by three processes at once is one version, also when some are killed at random", async () => {
    const folder = join(root, "random");
    for (let round = 1; round <= 8; round++) {
      const processes = [0, 1, 2].map(() => publisher(folder, `job${round}`, `content${round}`));
      setTimeout(() => processes[0]?.kill(), 60 + Math.random() * 120);
      setTimeout(() => processes[1]?.kill(), 60 + Math.random() * 120);
      const outcomes = await Promise.all(processes.map(({ outcome }) => outcome));
      expect(outcomes[2]?.version).toBe(round);
      for (const outcome of outcomes) expect([undefined, round]).toContain(outcome?.version);
      await expectSound(folder);
      const store = new ArtifactStore(new FsDriver(folder));
      expect((await store.versions("m")).map(({ jobId }) => jobId).at(-1)).toBe(`job${round}`);
      expect(await store.versions("m")).toHaveLength(round);
      expect((await store.aliasHistory("m", "prod")).at(-1)).toMatchObject({ version: round });
    }
  });
});
