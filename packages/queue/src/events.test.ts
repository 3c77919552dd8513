import type { StoredJobEvent } from "@whittle/contracts";
import { describe, expect, it, vi } from "vitest";
import { resultOf, succeed } from "./rig-jobs.ts";
import { useRig } from "./rig.ts";
import type { Execute } from "./run-job.ts";

const rig = useRig();

const talkative: Execute = async (envelope, { emit }) => {
  emit({ type: "log", level: "info", message: "begin" });
  emit({ type: "metrics", series: "epoch", step: 1, values: { loss: 0.5 } });
  emit({ type: "log", level: "warn", message: "end" });
  return resultOf(envelope);
};

describe("a job's events", () => {
  it("are kept in order, by type, and from a place on", async () => {
    const id = await rig.submit();
    await rig.work(talkative);
    await rig.reaches(id, "completed");
    const all = await rig.queue.events(id);
    expect(all.map(({ type }) => type)).toEqual(["state", "state", "log", "metrics", "log", "state"]);
    expect(await rig.queue.events(id, { after: all[2]?.id })).toEqual(all.slice(3));
    const logs = await rig.queue.events(id, { types: ["log"], limit: 1 });
    expect(logs).toMatchObject([{ level: "info", message: "begin" }]);
  });

  it("reach who follows them: those before, those after, each once, up to the end", async () => {
    const id = await rig.submit();
    const seen: StoredJobEvent[] = [];
    const stop = await rig.queue.subscribe(id, undefined, (event) => seen.push(event));
    await vi.waitFor(() => expect(seen).toHaveLength(1));
    await rig.work(talkative);
    await vi.waitFor(() => expect(seen.at(-1)).toMatchObject({ type: "state", state: "completed" }));
    expect(seen).toEqual(await rig.queue.events(id));
    stop();
    const late: StoredJobEvent[] = [];
    await rig.queue.subscribe(id, seen[2]?.id, (event) => late.push(event));
    await vi.waitFor(() => expect(late).toEqual(seen.slice(3)));
  });

  it("stop reaching who has stopped following", async () => {
    const id = await rig.submit();
    const seen: StoredJobEvent[] = [];
    const stop = await rig.queue.subscribe(id, undefined, (event) => seen.push(event));
    await vi.waitFor(() => expect(seen).toHaveLength(1));
    stop();
    await rig.work(succeed);
    await rig.reaches(id, "completed");
    expect(seen).toHaveLength(1);
  });

  it("end, for who follows a job that was retried, with its last run", async () => {
    const id = await rig.submit();
    await rig.queue.cancel(id);
    await rig.queue.retry(id);
    await rig.work(succeed);
    await rig.reaches(id, "completed");
    const seen: unknown[] = [];
    await rig.queue.subscribe(id, undefined, (event) => seen.push(event.type === "state" && event.state));
    await vi.waitFor(() => expect(seen).toEqual(["waiting", "waiting", "running", "completed"]));
  });

  it("can't be read or followed from what is no event's id", async () => {
    const id = await rig.submit();
    const refusal = { code: "invalid_request", issues: [{ path: "after" }] };
    await expect(rig.queue.events(id, { after: "garbage" })).rejects.toMatchObject(refusal);
    await expect(rig.queue.subscribe(id, "garbage", () => {})).rejects.toMatchObject(refusal);
  });

  it("of no job can't be read", async () => {
    await expect(rig.queue.events("nothing")).rejects.toMatchObject({ code: "not_found" });
    await expect(rig.queue.subscribe("nothing", undefined, () => {})).rejects.toMatchObject({ code: "not_found" });
  });
});
