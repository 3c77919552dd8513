import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, it } from "vitest";
import { FsDriver } from "./drivers/fs.ts";
import { ArtifactStore } from "./store.ts";
import { bundleFixture } from "./testing/bundle.ts";

let root: string;
let program: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "whittle-rivals-"));
  program = await bundleFixture("rival", root);
});
afterAll(() => rm(root, { recursive: true }));

function rival(...args: string[]) {
  const child = spawn(process.execPath, [program, ...args], { stdio: ["pipe", "pipe", "inherit"] });
  const outcome = Promise.all([text(child.stdout), once(child, "close")]).then(([printed, [code]]) => {
    expect(code).toBe(0);
    return printed;
  });
  return { end: () => child.stdin.end(), outcome };
}

const rounds = 12;

it("two publishers of the same content lose nothing to two collectors beside them", { timeout: 300_000 }, async () => {
  const folder = join(root, "store");
  const collectors = [rival("collect", folder), rival("collect", folder)];
  const publishers = ["a", "b"].map((id) => rival("publish", folder, id, String(rounds)));
  await Promise.all(publishers.map(({ outcome }) => outcome));
  for (const { end } of collectors) end();
  const removed = await Promise.all(collectors.map(({ outcome }) => outcome));
  // Each round of a publisher leaves the three blobs of content that nobody publishes.
  expect(removed.reduce((sum, printed) => sum + Number(printed), 0)).toBeGreaterThanOrEqual(2 * rounds * 3);
  const driver = new FsDriver(folder);
  expect(await new ArtifactStore(driver).audit()).toMatchObject({
    blobs: rounds * 3,
    versions: 2 * rounds,
    issues: [],
  });
  for (const prefix of ["leases/", "collections/", "tmp/"]) expect(await driver.list(prefix)).toEqual([]);
});
