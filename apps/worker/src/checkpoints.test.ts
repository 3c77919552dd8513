import { mkdir, mkdtemp, readdir, readFile, rename, rm, rmdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "@whittle/contracts";
import { openStore, type Scratch } from "@whittle/store";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { clearCheckpoints, createCheckpoints, type CheckpointOptions } from "./checkpoints.ts";

let root: string;
let scratch: Scratch;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "whittle-checkpoints-"));
  scratch = (await openStore(join(root, "store"))).scratch("job");
});
afterEach(() => rm(root, { recursive: true, force: true }));

const folder = () => mkdtemp(join(root, "run-"));

/** One run; `pointed` are its checkpoints, newest first, as the queue keeps them. */
function run(epoch: number, pointed: string[], options: Partial<CheckpointOptions> = {}) {
  const warnings: string[] = [];
  const point = async (name: string): Promise<string[]> => {
    pointed.unshift(name);
    return pointed.splice(2);
  };
  const warn = (message: string) => void warnings.push(message);
  const { signal } = new AbortController();
  const checkpoints = createCheckpoints({ scratch, epoch, point, signal, warn, ...options });
  return { ...checkpoints, warnings };
}

async function save(keep: (path: string) => Promise<void>, text: string, file = "checkpoint"): Promise<void> {
  const path = join(await folder(), file);
  await writeFile(path, text);
  await keep(path);
}

async function restored(epoch: number, names: string[]): Promise<{ text?: string; warnings: string[] }> {
  const into = await folder();
  const { restore, warnings } = run(epoch, names);
  await restore(names, into);
  if ((await readdir(into)).length === 0) return { warnings };
  return { text: await readFile(join(into, "checkpoint"), "utf8"), warnings };
}

describe("checkpoints", () => {
  it("go from one run to the next through the store, the two newest kept", async () => {
    const names: string[] = [];
    const first = run(1, names);
    for (const text of ["one", "two", "three"]) await save(first.keep, text);
    expect(await scratch.list()).toEqual(["1-2-checkpoint", "1-3-checkpoint"]);
    expect(await restored(2, names)).toEqual({ text: "three", warnings: [] });
    await save(run(2, names).keep, "four");
    expect(names).toEqual(["2-1-checkpoint", "1-3-checkpoint"]);
  });

  it("fall back to the one before when the newest is damaged or gone", async () => {
    const names: string[] = [];
    const { keep } = run(1, names);
    for (const text of ["one", "two"]) await save(keep, text);
    const file = join(root, "store", "scratch", "job", "1-2-checkpoint");
    await writeFile(file, (await readFile(file)).subarray(0, 20));
    expect(await restored(2, names)).toMatchObject({ text: "one", warnings: [expect.stringContaining("damaged")] });
    await rm(file);
    expect(await restored(2, names)).toMatchObject({ text: "one", warnings: [expect.stringContaining("gone")] });
    await scratch.clear();
    expect(await restored(2, names)).not.toHaveProperty("text");
  });

  describe("in a store that can't be read for a while", () => {
    let names: string[];
    let file: string;
    beforeEach(async () => {
      names = [];
      const { keep } = run(1, names);
      for (const text of ["one", "two"]) await save(keep, text);
      // Reading a folder as a file fails in the system, whoever tries, as on a volume that is away.
      file = join(root, "store", "scratch", "job", "1-2-checkpoint");
      await rename(file, join(root, "aside"));
      await mkdir(file);
    });

    it("are waited for", async () => {
      const into = await folder();
      const { restore, warnings } = run(2, names);
      const restoring = restore(names, into);
      await sleep(100);
      await rmdir(file);
      await rename(join(root, "aside"), file);
      await restoring;
      expect(await readFile(join(into, "checkpoint"), "utf8")).toBe("two");
      expect(warnings).toEqual([]);
    });

    it("are not replaced by older ones: the run fails of what can be tried again", async () => {
      const into = await folder();
      const { restore } = run(2, names, { pausesMs: [1, 1] });
      const error = {
        code: "unavailable",
        retryable: true,
        message: expect.stringContaining("1-2-checkpoint can't be"),
      };
      await expect(restore(names, into)).rejects.toMatchObject(error);
      expect(await readdir(into)).toEqual([]);
    });

    it("are not waited for by a run that is to stop", async () => {
      const stop = new AbortController();
      const { restore } = run(2, names, { pausesMs: [60_000], signal: stop.signal });
      const restoring = restore(names, await folder());
      setTimeout(() => stop.abort(new AppError("cancelled", "not wanted any more")), 50);
      await expect(restoring).rejects.toMatchObject({ code: "cancelled", message: "not wanted any more" });
    });
  });

  it("of each training of a job are restored", async () => {
    const names: string[] = [];
    const { keep } = run(1, names);
    await save(keep, "one", "checkpoint-round-1-7");
    await save(keep, "two", "checkpoint-round-2-3");
    const into = await folder();
    await run(2, names).restore(names, into);
    expect(await readdir(into)).toEqual(["checkpoint-round-1-7", "checkpoint-round-2-3"]);
  });

  it("that are removed when a job has ended are not those of a later run", async () => {
    const names: string[] = [];
    await save(run(1, names).keep, "one");
    await save(run(10, names).keep, "two");
    await save(run(11, names).keep, "three");
    await clearCheckpoints(scratch, 10);
    expect(await scratch.list()).toEqual(["11-1-checkpoint"]);
    await clearCheckpoints(scratch, Infinity);
    expect(await scratch.list()).toEqual([]);
  });

  it("of a late run are refused, and its file is removed", async () => {
    const late = createCheckpoints({
      scratch,
      epoch: 1,
      signal: new AbortController().signal,
      point: async () => Promise.reject(new AppError("conflict", "run 1 is not the latest")),
      warn: () => {},
    });
    await expect(save(late.keep, "late")).rejects.toMatchObject({ code: "conflict" });
    expect(await scratch.list()).toEqual([]);
  });

  it("that can't be written are told, and do not end the job", async () => {
    const { keep, warnings } = run(1, []);
    await keep(join(root, "missing", "checkpoint"));
    expect(warnings).toEqual([expect.stringContaining("not kept")]);
  });
});
