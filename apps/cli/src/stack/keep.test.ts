import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { keep, type Kept } from "./keep.ts";

let folder: string;
let kept: Kept | undefined;
let said: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "whittle-keep-"));
  said = [];
});

afterEach(async () => {
  kept?.kill();
  await kept?.ended;
  await rm(folder, { recursive: true });
});

async function start(program: string): Promise<Kept> {
  const spec = { name: "thing", command: ["node", "-e", program], env: {} };
  const say = (line: string) => said.push(line);
  kept = await keep(spec, { cwd: folder, logDir: folder, env: process.env, say, pauseMs: 10 });
  return kept;
}

const forever = "setInterval(() => {}, 1000)";

describe("a kept process", () => {
  it("is started again when it is killed, and this is said", async () => {
    const one = await start(forever);
    one.trust();
    const { pid } = one;
    process.kill(pid, "SIGKILL");
    await vi.waitFor(() => expect(one.pid).not.toBe(pid), { timeout: 10_000 });
    expect(said).toEqual([expect.stringContaining("thing ended by signal SIGKILL; starting it again")]);
  });

  it("is given up when it ends again and again", async () => {
    const one = await start("process.exit(3)");
    one.trust();
    expect(await one.ended).toBe("thing ended with exit code 3, and so 5 times in a row");
  });

  it("is not started again before it has started well once", async () => {
    const one = await start("process.exit(3)");
    expect(await one.ended).toBe("thing ended with exit code 3");
    expect(said).toEqual([]);
  });

  it("stays stopped when it is told to stop", async () => {
    const one = await start(forever);
    one.trust();
    await one.stop(5000);
    expect(await one.ended).toContain("SIGTERM");
    expect(said).toEqual([]);
  });
});
