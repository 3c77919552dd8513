import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "@whittle/contracts";
import { openStore } from "@whittle/store";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { childEntry } from "./entries.ts";
import { patiently } from "./patience.ts";
import { forkGroup, killGroup } from "./supervisor/fork.ts";
import { envelopeOf } from "./supervisor/testing/job.ts";

/** A file stands where the store is to be: nothing can be opened there before it is gone. */
let root: string;
let place: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "whittle-patience-"));
  place = join(root, "store");
  await writeFile(place, "");
});
afterEach(() => rm(root, { recursive: true, force: true }));

const never = new AbortController().signal;

describe("a store that is unavailable", () => {
  it("is waited for", async () => {
    const opening = patiently(() => openStore(place), never);
    await sleep(100);
    await rm(place);
    expect(await (await opening).models()).toEqual([]);
  });

  it("is given up after the last pause, with its own error", async () => {
    let tries = 0;
    const opening = patiently(() => (tries++, openStore(place)), never, [1, 1]);
    await expect(opening).rejects.toMatchObject({ code: "unavailable", message: expect.stringContaining(place) });
    expect(tries).toBe(3);
  });

  it("is not waited for by what is to stop", async () => {
    const stop = new AbortController();
    const opening = patiently(() => openStore(place), stop.signal, [60_000]);
    setTimeout(() => stop.abort(new AppError("cancelled", "not wanted any more")), 50);
    await expect(opening).rejects.toMatchObject({ code: "cancelled", message: "not wanted any more" });
  });

  it("is waited for by a job's process, which then runs the job", async () => {
    const child = forkGroup(childEntry, process.env);
    try {
      child.send({ type: "prepare" });
      await once(child, "message");
      child.send({
        type: "run",
        envelope: envelopeOf({}),
        epoch: 1,
        checkpoints: [],
        store: place,
        datasetDirs: [],
        workDir: root,
      });
      setTimeout(() => void rm(place), 300);
      // There is no such kind; without the store nobody would have looked.
      expect(await once(child, "message")).toMatchObject([
        { type: "error", error: { code: "unsupported" } },
        undefined,
      ]);
    } finally {
      killGroup(child);
    }
  });
});

it("other errors are no reason to wait", async () => {
  let tries = 0;
  const work = (): Promise<never> => (tries++, Promise.reject(new AppError("corrupt", "damaged")));
  await expect(patiently(work, never)).rejects.toMatchObject({ code: "corrupt" });
  expect(tries).toBe(1);
});
