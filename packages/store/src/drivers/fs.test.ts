import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { testStore } from "../testing/index.ts";
import { FsDriver } from "./fs.ts";

const folders: string[] = [];
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))));

testStore("a file system", async () => {
  const folder = await mkdtemp(join(tmpdir(), "whittle-store-"));
  folders.push(folder);
  return { driver: new FsDriver(folder), again: () => new FsDriver(folder) };
});
