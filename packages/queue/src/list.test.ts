import { describe, expect, it } from "vitest";
import { firstIdAt, newId } from "./ids.ts";
import type { ListQuery } from "./list.ts";
import { succeed, untilStopped } from "./rig-jobs.ts";
import { useRig } from "./rig.ts";

const rig = useRig();

/** The ids of each page. */
async function pages(query: ListQuery): Promise<string[][]> {
  const found: string[][] = [];
  for (let cursor = query.cursor, more = true; more; more = cursor !== undefined) {
    const page = await rig.queue.list({ ...query, cursor });
    found.push(page.jobs.map(({ id }) => id));
    cursor = page.cursor;
  }
  return found;
}

async function by(state: ListQuery["state"]): Promise<string[]> {
  return (await pages({ limit: 10, state })).flat();
}

describe("the list of jobs", () => {
  it("is in pages, newest first, which later jobs do not move", async () => {
    const ids: string[] = [];
    for (let i = 0; i < 7; i++) ids.push(await rig.submit());
    const first = await rig.queue.list({ limit: 3 });
    await rig.submit();
    const rest = await pages({ limit: 3, cursor: first.cursor });
    expect([first.jobs.map(({ id }) => id), ...rest].flat()).toEqual(ids.toReversed());
    expect(rest.map((page) => page.length)).toEqual([3, 1]);
  });

  it("has no next page after a full last one", async () => {
    for (let i = 0; i < 4; i++) await rig.submit();
    expect((await pages({ limit: 2 })).map((page) => page.length)).toEqual([2, 2]);
  });

  it("finds jobs by kind and state, also far back", async () => {
    const old = await rig.submit("look");
    await rig.queue.cancel(old);
    await Promise.all(Array.from({ length: 150 }, () => rig.submit("make")));
    expect(await pages({ limit: 10, kind: "look" })).toEqual([[old]]);
    expect(await pages({ limit: 10, state: "cancelled" })).toEqual([[old]]);
    expect((await pages({ limit: 100, state: "waiting" })).map((page) => page.length)).toEqual([100, 50]);
    expect(await pages({ limit: 10, state: "cancelled", kind: "make" })).toEqual([[]]);
  });

  it("tells waiting, running, blocked and completed jobs apart", async () => {
    const { jobs } = await rig.pipeline([
      { step: "a", kind: "make" },
      { step: "b", kind: "change", params: { base: "$a" } },
    ]);
    const done = await rig.submit("look");
    await rig.work(succeed, { kinds: ["look"] });
    await rig.work(untilStopped, { kinds: ["make"] });
    await rig.reaches(done, "completed");
    await rig.reaches(jobs["a"], "running");
    const waiting = await rig.submit("make");
    expect(await by("waiting")).toEqual([waiting]);
    expect(await by("running")).toEqual([jobs["a"]]);
    expect(await by("blocked")).toEqual([jobs["b"]]);
    expect(await by("completed")).toEqual([done]);
    expect(await rig.queue.counts()).toMatchObject({
      make: { waiting: 1, running: 1, blocked: 0, completed: 0 },
      change: { blocked: 1 },
      look: { completed: 1, oldestWaitingSeconds: 0 },
    });
  });

  it("refuses a cursor that is none", async () => {
    await expect(rig.queue.list({ limit: 1, cursor: "x" })).rejects.toMatchObject({ issues: [{ path: "cursor" }] });
  });
});

describe("job ids", () => {
  it("sort as they were made and carry their time", () => {
    const now = Date.now();
    const ids = Array.from({ length: 1000 }, () => newId());
    expect(ids.toSorted()).toEqual(ids);
    expect(new Set(ids).size).toBe(1000);
    expect(ids[0]).toMatch(/^[0-9a-hjkmnp-tv-z]{26}$/);
    expect((ids[0] ?? "") >= firstIdAt(now)).toBe(true);
    expect((ids[0] ?? "") < firstIdAt(now + 60_000)).toBe(true);
  });

  it("begin with the time as a ULID does", () => {
    expect(firstIdAt(1469922850259)).toBe("01arz3ndek0000000000000000");
  });
});
