import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openFolder, workerId } from "./folders.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "whittle-folders-"));
});
afterEach(() => rm(root, { recursive: true, force: true }));

it("a worker removes what workers of its host that were killed have left, and nothing else", async () => {
  const gone = spawn(process.execPath, ["-e", ""]);
  await once(gone, "exit");
  const names = {
    killed: workerId("my-host", gone.pid ?? 0, 1),
    alive: workerId("my-host", process.pid, 1),
    elsewhere: workerId("my-host-2", gone.pid ?? 0, 1),
    notOurs: "notes",
  };
  for (const name of Object.values(names)) await mkdir(join(root, name, "job.1"), { recursive: true });
  const id = workerId("my-host", process.pid, 2);
  expect(await openFolder(root, "my-host", id)).toBe(join(root, id));
  expect((await readdir(root)).toSorted()).toEqual([names.alive, names.elsewhere, names.notOurs, id].toSorted());
});
