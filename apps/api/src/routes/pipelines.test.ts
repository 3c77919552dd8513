import { describe, expect, it } from "vitest";
import { z } from "zod";
import { succeed, useRig } from "../rig.ts";

const rig = useRig();

const view = z.object({ id: z.string(), steps: z.array(z.object({ id: z.string(), step: z.string() })) });

describe("pipelines", () => {
  it("run their steps in order and show them", async () => {
    const answer = await rig.post("/v1/pipelines", {
      steps: [
        { step: "first", kind: "make", params: { epochs: 1 } },
        { step: "second", kind: "change", params: { base: "$first" }, output: { name: "small" } },
      ],
    });
    expect(answer).toMatchObject({
      status: 202,
      body: { state: "waiting", steps: [{ state: "waiting" }, { state: "blocked" }] },
    });
    const { id, steps } = view.parse(answer.body);
    expect(answer.headers.get("location")).toBe(`/v1/pipelines/${id}`);
    await rig.work(succeed);
    await rig.reaches(steps[1]?.id ?? "", "completed");
    expect((await rig.get(`/v1/pipelines/${id}`)).body).toMatchObject({
      state: "completed",
      steps: [{ step: "first" }, { step: "second", result: { artifact: { name: "small" } } }],
    });
  });

  it("are refused with the path of each step that is wrong", async () => {
    const twice = { step: "a", kind: "make" };
    const answer = await rig.post("/v1/pipelines", {
      steps: [twice, twice, { step: "b", kind: "change", params: { base: "$gone" } }, { step: "c", kind: "melt" }],
    });
    expect(answer).toMatchObject({
      status: 400,
      body: { issues: [{ path: "steps.1.step" }, { path: "steps.2.params.base" }, { path: "steps.3.kind" }] },
    });
    const cycle = [
      { step: "a", kind: "change", params: { base: "$b" } },
      { step: "b", kind: "change", params: { base: "$a" } },
    ];
    expect((await rig.post("/v1/pipelines", { steps: cycle })).body).toMatchObject({
      issues: [{ path: "steps.0.params" }],
    });
    const missing = [{ step: "a", kind: "change", params: { base: "nothing" } }];
    expect((await rig.post("/v1/pipelines", { steps: missing })).body).toMatchObject({
      issues: [{ path: "steps.0.params.base" }],
    });
    expect((await rig.post("/v1/pipelines", { steps: [] })).status).toBe(400);
    expect((await rig.get("/v1/jobs")).body).toEqual({ jobs: [] });
  });

  it("are cancelled as a whole, but for the steps that have ended", async () => {
    const answer = await rig.post("/v1/pipelines", {
      steps: [
        { step: "first", kind: "make" },
        { step: "second", kind: "change", params: { base: "$first" } },
        { step: "third", kind: "change", params: { base: "$second" } },
      ],
    });
    const { id } = view.parse(answer.body);
    const cancelled = { state: "cancelled", steps: Array.from({ length: 3 }, () => ({ state: "cancelled" })) };
    expect(await rig.post(`/v1/pipelines/${id}/cancel`)).toMatchObject({ status: 200, body: cancelled });
    expect(await rig.post(`/v1/pipelines/${id}/cancel`)).toMatchObject({ status: 200, body: cancelled });
    const done = view.parse((await rig.post("/v1/pipelines", { steps: [{ step: "only", kind: "make" }] })).body);
    await rig.work(succeed);
    await rig.reaches(done.steps[0]?.id ?? "", "completed");
    expect(await rig.post(`/v1/pipelines/${done.id}/cancel`)).toMatchObject({
      status: 409,
      body: { detail: `pipeline ${done.id} has already completed` },
    });
    expect((await rig.post("/v1/pipelines/nothing/cancel")).status).toBe(404);
  });

  it("are not found under another id", async () => {
    expect((await rig.get("/v1/pipelines/nothing")).status).toBe(404);
  });
});
