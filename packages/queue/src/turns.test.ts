import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "@whittle/contracts";
import { describe, expect, it } from "vitest";
import { resultOf } from "./rig-jobs.ts";
import { useRig } from "./rig.ts";

const rig = useRig();

async function submit(submittedBy: string, jobs: number, priority = 100): Promise<string[]> {
  const ids = [];
  for (let at = 0; at < jobs; at++) {
    const job = await rig.queue.submit({ kind: "make", params: {}, options: { priority }, submittedBy });
    ids.push(job.id);
  }
  return ids;
}

/** Runs all jobs and gives their submitters in the order in which they started. */
async function orderOf(ids: string[]): Promise<string[]> {
  const order: string[] = [];
  const worker = await rig.work(async (envelope) => {
    order.push(envelope.submittedBy);
    return resultOf(envelope);
  });
  for (const id of ids) await rig.reaches(id, "completed");
  await worker.drain();
  return order;
}

const turnsOf = (order: string[], who: string) => order.filter((each) => each === who).length;

describe("jobs of several submitters", () => {
  it("take turns, however many one has and whatever priority it asks for", async () => {
    const sweep = await submit("sweep", 20, 1);
    const others = [...(await submit("other", 4, 1000)), ...(await submit("third", 2))];
    const order = await orderOf([...sweep, ...others]);
    for (let at = 1; at <= 6; at++) {
      const begun = order.slice(0, at);
      expect(Math.abs(turnsOf(begun, "sweep") - turnsOf(begun, "other"))).toBeLessThanOrEqual(1);
    }
    expect(order.slice(10)).toEqual(Array.from({ length: 16 }, () => "sweep"));
  });

  it("are no favour to who comes late: it has as many turns as the others had", async () => {
    await orderOf(await submit("a", 6));
    const ids = [...(await submit("a", 4)), ...(await submit("b", 4))];
    const order = await orderOf(ids);
    expect(order.slice(0, 2).toSorted()).toEqual(["a", "b"]);
    expect(order.slice(2, 4).toSorted()).toEqual(["a", "b"]);
  });

  it("go to who has the fewest running", async () => {
    const ids = await submit("long", 3);
    let finish = (): void => {};
    const gate = new Promise<void>((resolve) => (finish = resolve));
    const order: string[] = [];
    await rig.work(
      async (envelope) => {
        order.push(envelope.submittedBy);
        if (envelope.submittedBy === "long") await gate;
        return resultOf(envelope);
      },
      { concurrency: 2 },
    );
    await rig.reaches(ids[1], "running");
    expect(order).toEqual(["long", "long"]);
    const short = await submit("short", 3);
    finish();
    for (const id of [...ids, ...short]) await rig.reaches(id, "completed");
    expect(order[2]).toBe("short");
  });

  it("of one submitter go by priority, then by age", async () => {
    const [late, first, second] = [...(await submit("a", 1, 200)), ...(await submit("a", 2, 5))];
    const other = await submit("b", 2);
    const order: string[] = [];
    await rig.work(async (envelope) => {
      if (envelope.submittedBy === "a") order.push(envelope.id);
      return resultOf(envelope);
    });
    for (const id of [late, ...other]) await rig.reaches(id, "completed");
    expect(order).toEqual([first, second, late]);
  });
});

it("a job whose pause is over comes before those of its priority that have not run yet", async () => {
  const [failing = "", long, ...others] = await submit("a", 4);
  const order: string[] = [];
  await rig.work(async (envelope) => {
    order.push(envelope.id);
    if (envelope.id === failing && order.length === 1) throw new AppError("unavailable", "not now");
    // Longer than the first pause.
    if (envelope.id === long) await sleep(1500);
    return resultOf(envelope);
  });
  await rig.reaches(long, "running");
  const [urgent] = await submit("a", 1, 5);
  for (const id of [failing, ...others]) await rig.reaches(id, "completed");
  expect(order).toEqual([failing, long, urgent, failing, ...others]);
});
