import { AppError } from "@whittle/contracts";
import { describe, expect, it } from "vitest";
import { resultOf, succeed, useRig } from "../rig.ts";

const rig = useRig();

describe("POST /v1/jobs/:kind", () => {
  it("accepts a job, which a worker then runs", async () => {
    const { status, headers, body } = await rig.post("/v1/jobs/make", {
      params: { epochs: 5 },
      output: { name: "mine", alias: "prod" },
      priority: 3,
    });
    expect(status).toBe(202);
    expect(body).toMatchObject({ kind: "make", state: "waiting", params: { epochs: 5 }, output: { name: "mine" } });
    const path = headers.get("location") ?? "";
    expect(path).toMatch(/^\/v1\/jobs\/[0-9a-z]{26}$/);
    await rig.work(succeed);
    await rig.reaches(path.replace("/v1/jobs/", ""), "completed");
    expect((await rig.get(path)).body).toMatchObject({ result: { artifact: { name: "mine", version: 1 } } });
  });

  it("answers 404 for an unknown kind and names those there are", async () => {
    const { status, headers, body } = await rig.post("/v1/jobs/melt", {});
    expect(status).toBe(404);
    expect(headers.get("content-type")).toMatch("application/problem+json");
    expect(body).toMatchObject({
      code: "not_found",
      title: "not found",
      status: 404,
      detail: expect.stringContaining("change, make"),
    });
  });

  it("answers 400 with the path of everything wrong", async () => {
    const { status, body } = await rig.post("/v1/jobs/make", { params: { epochs: 0, colour: "red" } });
    expect(status).toBe(400);
    expect(body).toMatchObject({
      code: "invalid_request",
      issues: [{ path: "params.epochs" }, { path: "params.colour" }],
    });
    expect((await rig.post("/v1/jobs/make", { priority: 0 })).body).toMatchObject({ issues: [{ path: "priority" }] });
    expect((await rig.post("/v1/jobs/make", { epochs: 3 })).body).toMatchObject({
      issues: [{ path: "epochs", message: expect.stringContaining("known are") }],
    });
  });

  it("answers 400 for a model that is not in the store", async () => {
    const { status, body } = await rig.post("/v1/jobs/change", { params: { base: "nothing@1" } });
    expect(status).toBe(400);
    expect(body).toMatchObject({
      issues: [{ path: "params.base", message: expect.stringContaining('no model "nothing"') }],
    });
  });

  it("answers 400 for a body that is not encoded as it says", async () => {
    const answer = await rig.post("/v1/jobs/make", { params: {} }, { "content-encoding": "gzip" });
    expect(answer).toMatchObject({ status: 400, body: { detail: expect.stringContaining("can't be read") } });
  });

  it("answers a repeated Idempotency-Key with the same job, and 409 for another body", async () => {
    const headers = { "idempotency-key": "k" };
    const first = await rig.post("/v1/jobs/make", { params: { epochs: 1 } }, headers);
    const second = await rig.post("/v1/jobs/make", { params: { epochs: 1 } }, headers);
    expect(second.body).toEqual(first.body);
    expect(await rig.post("/v1/jobs/make", { params: { epochs: 2 } }, headers)).toMatchObject({
      status: 409,
      body: { code: "conflict" },
    });
    expect(await rig.post("/v1/jobs/make", {}, { "idempotency-key": "k".repeat(256) })).toMatchObject({ status: 400 });
  });
});

describe("GET /v1/jobs", () => {
  it("pages through the jobs of a state and kind", async () => {
    const ids = [await rig.submit(), await rig.submit("change"), await rig.submit()];
    const first = await rig.get("/v1/jobs?limit=2");
    expect(first.body).toMatchObject({ jobs: [{ id: ids[2] }, { id: ids[1] }], cursor: ids[1] });
    expect((await rig.get(`/v1/jobs?limit=2&cursor=${ids[1]}`)).body).toEqual({
      jobs: [expect.objectContaining({ id: ids[0] })],
    });
    expect((await rig.get("/v1/jobs?kind=change&state=waiting")).body).toMatchObject({ jobs: [{ id: ids[1] }] });
    expect((await rig.get("/v1/jobs?state=running")).body).toEqual({ jobs: [] });
  });

  it("refuses an unknown kind and unknown fields, and says what there is", async () => {
    expect(await rig.get("/v1/jobs?kind=foo")).toMatchObject({
      status: 400,
      body: { issues: [{ path: "kind", message: expect.stringContaining('"make" or "change"') }] },
    });
    expect(await rig.get("/v1/jobs?stat=failed&limit=0")).toMatchObject({
      status: 400,
      body: {
        issues: [{ path: "limit" }, { path: "stat", message: expect.stringContaining("kind, state, limit, cursor") }],
      },
    });
  });

  it("refuses an unknown state and a limit out of range", async () => {
    expect(await rig.get("/v1/jobs?state=lost&limit=0")).toMatchObject({
      status: 400,
      body: { issues: [{ path: "state" }, { path: "limit" }] },
    });
  });
});

describe("a job", () => {
  it("shows its logs and its metrics over time", async () => {
    const id = await rig.submit();
    await rig.work(async (envelope, { emit }) => {
      emit({ type: "log", level: "info", message: "begin" });
      emit({ type: "metrics", series: "epoch", step: 1, values: { loss: 0.5 } });
      return resultOf(envelope);
    });
    await rig.reaches(id, "completed");
    expect((await rig.get(`/v1/jobs/${id}/logs`)).body).toMatchObject({ logs: [{ level: "info", message: "begin" }] });
    expect((await rig.get(`/v1/jobs/${id}/metrics`)).body).toMatchObject({
      metrics: [{ series: "epoch", step: 1, values: { loss: 0.5 }, id: expect.any(String) }],
    });
  });

  it.each(["logs", "metrics"])("refuses unknown fields and a wrong place in the query of its %s", async (part) => {
    const id = await rig.submit();
    expect(await rig.get(`/v1/jobs/${id}/${part}?since=1`)).toMatchObject({
      status: 400,
      body: { issues: [{ path: "since", message: expect.stringContaining("after, limit") }] },
    });
    expect(await rig.get(`/v1/jobs/${id}/${part}?after=garbage`)).toMatchObject({
      status: 400,
      body: { issues: [{ path: "after", message: "must be an event's id as it was sent" }] },
    });
  });

  it("is cancelled and retried", async () => {
    const id = await rig.submit();
    expect(await rig.post(`/v1/jobs/${id}/cancel`)).toMatchObject({ status: 200, body: { state: "cancelled" } });
    expect(await rig.post(`/v1/jobs/${id}/retry`)).toMatchObject({ status: 200, body: { state: "waiting" } });
    await rig.work(succeed);
    await rig.reaches(id, "completed");
    expect(await rig.post(`/v1/jobs/${id}/cancel`)).toMatchObject({ status: 409, body: { code: "conflict" } });
  });

  it("shows why it failed", async () => {
    const id = await rig.submit();
    await rig.work(async () => Promise.reject(new AppError("corrupt", "bad weights")));
    await rig.reaches(id, "failed");
    expect((await rig.get(`/v1/jobs/${id}`)).body).toMatchObject({
      error: { code: "corrupt", message: "bad weights" },
    });
  });

  it("is not found under another id, in none of its parts", async () => {
    for (const part of ["", "/logs", "/metrics", "/events"]) {
      expect(await rig.get(`/v1/jobs/nothing${part}`)).toMatchObject({ status: 404, body: { code: "not_found" } });
    }
    expect((await rig.post("/v1/jobs/nothing/cancel")).status).toBe(404);
  });
});
