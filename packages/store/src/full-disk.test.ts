import { execFile, execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openStore } from "./open.ts";
import { bundleFixture } from "./testing/bundle.ts";

const run = promisify(execFile);
let root: string;
let program: string;
let small: string;
let mounted = false;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "whittle-full-"));
  program = await bundleFixture("writer", root);
  small = join(root, "small");
  await mkdir(small);
  mounted = mount(small);
});
afterAll(async () => {
  if (mounted) execFileSync("/bin/umount", [small]);
  await rm(root, { recursive: true });
});

/** Mounts a file system of 512 KiB. @returns false where this user may not. */
function mount(folder: string): boolean {
  try {
    execFileSync("/bin/mount", ["-t", "tmpfs", "-o", "size=512k", "tmpfs", folder], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** Expects that nothing of a failed publication can be seen or lies about unfinished, and that the next one comes through. */
async function expectUntouched(folder: string): Promise<void> {
  const store = await openStore(folder);
  expect(await store.audit()).toMatchObject({ versions: 0, issues: [] });
  expect(await readdir(join(folder, "tmp"))).toEqual([]);
  expect(await readdir(join(folder, "leases"))).toEqual([]);
  expect((await run(process.execPath, [program, folder, "1000"])).stdout).toBe("null\n");
  expect(await store.audit()).toMatchObject({ versions: 1, issues: [] });
}

describe("a publication", { timeout: 60_000 }, () => {
  it("whose write the system breaks off leaves nothing half-written, and says why", async () => {
    const folder = join(root, "limited");
    const limited = 'ulimit -f 64; exec "$@"';
    const { stdout } = await run("sh", ["-c", limited, "sh", process.execPath, program, folder, "1000000"]);
    expect(JSON.parse(stdout)).toMatchObject({
      code: "unavailable",
      message: expect.stringContaining("may not write files that large"),
    });
    await expectUntouched(folder);
  });

  it("that fills its volume leaves nothing half-written, and says that it is full", async ({ skip }) => {
    if (!mounted) skip("mounting a small file system needs root");
    const { stdout } = await run(process.execPath, [program, small, "1000000"]);
    expect(JSON.parse(stdout)).toMatchObject({
      code: "unavailable",
      message: expect.stringContaining("its volume is full"),
    });
    await expectUntouched(small);
  });
});
