import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { makeFolder, replaceLink } from "./folders.ts";

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "whittle-folders-"));
});

afterEach(async () => {
  await rm(dir, { recursive: true });
});

const write = (text: string) => (folder: string) => writeFile(join(folder, "file"), text);

it("shows a folder only when it is complete", async () => {
  const target = join(dir, "target");
  await makeFolder(target, async (folder) => {
    await write("a")(folder);
    expect(existsSync(target)).toBe(false);
  });
  expect(await readFile(join(target, "file"), "utf8")).toBe("a");
  expect(await readdir(dir)).toEqual(["target"]);
});

it("leaves nothing of a folder that could not be filled", async () => {
  const failing = makeFolder(join(dir, "target"), () => Promise.reject(new Error("disk full")));
  await expect(failing).rejects.toThrow("disk full");
  expect(await readdir(dir)).toEqual([]);
});

it("keeps the first of two that are made at once", async () => {
  const target = join(dir, "target");
  let resolve = (): void => {};
  const firstDone = new Promise<void>((done) => (resolve = done));
  const second = makeFolder(target, async (folder) => {
    await write("second")(folder);
    await firstDone;
  });
  await makeFolder(target, write("first"));
  resolve();
  await second;
  expect(await readFile(join(target, "file"), "utf8")).toBe("first");
  expect(await readdir(dir)).toEqual(["target"]);
});

it("removes what a killed set-up has left, but not what another is making", async () => {
  await mkdir(join(dir, "target.dead.tmp"));
  await utimes(join(dir, "target.dead.tmp"), 0, 0);
  await mkdir(join(dir, "target.alive.tmp"));
  await makeFolder(join(dir, "target"), write("a"));
  expect(await readdir(dir)).toEqual(["target", "target.alive.tmp"]);
});

it("replaces a link", async () => {
  const link = join(dir, "deep/link");
  await replaceLink(link, "/one");
  await replaceLink(link, "/two");
  expect(await readlink(link)).toBe("/two");
  expect(await readdir(join(dir, "deep"))).toEqual(["link"]);
});
