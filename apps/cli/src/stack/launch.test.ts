import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { lastLines, launch, type Launched } from "./launch.ts";

let folder: string;
let one: Launched | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "whittle-launch-"));
});

afterEach(async () => {
  one?.kill();
  await rm(folder, { recursive: true });
});

async function start(program: string): Promise<Launched> {
  const spec = { name: "thing", command: ["node", "-e", program], env: { ANSWER: "42" } };
  one = await launch(spec, { cwd: folder, logDir: join(folder, "logs"), env: { ...process.env, ANSWER: "no" } });
  return one;
}

async function untilLogged({ log }: Launched, text: string): Promise<void> {
  await vi.waitFor(async () => expect(await lastLines(log)).toContain(text), { timeout: 10_000 });
}

describe("launch", () => {
  it("writes what the process says to its log, in its folder and environment", async () => {
    const launched = await start("console.log(process.env.ANSWER); console.error(process.cwd())");
    expect(await launched.ended).toBe("thing ended with exit code 0");
    expect(await lastLines(launched.log)).toBe(`42\n${folder}`);
  });

  it("tells how a process ended", async () => {
    expect(await (await start("process.exit(3)")).ended).toBe("thing ended with exit code 3");
  });

  it("asks a process to leave, and waits until it has", async () => {
    const launched = await start(
      "process.on('SIGTERM', () => process.exit(5)); setInterval(() => {}, 1e3); console.log('on')",
    );
    await untilLogged(launched, "on");
    await launched.stop(10_000);
    expect(await launched.ended).toContain("exit code 5");
  });

  it("kills a process that doesn't leave in time", async () => {
    const launched = await start("process.on('SIGTERM', () => {}); setInterval(() => {}, 1e3); console.log('on')");
    await untilLogged(launched, "on");
    await launched.stop(100);
    expect(await launched.ended).toContain("SIGKILL");
  });

  it("says that a program does not exist", async () => {
    const spec = { name: "thing", command: ["no-such-program"], env: {} };
    const launched = await launch(spec, { cwd: folder, logDir: folder, env: process.env });
    expect(await launched.ended).toContain("ENOENT");
  });
});
