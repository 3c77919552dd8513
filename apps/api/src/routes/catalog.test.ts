import { describe, expect, it } from "vitest";
import { succeed, useRig } from "../rig.ts";

const rig = useRig();

describe("what there is", () => {
  it("job kinds come with the JSON Schema of their parameters", async () => {
    expect((await rig.get("/v1/kinds")).body).toMatchObject({
      kinds: [
        {
          kind: "make",
          publishes: true,
          example: { epochs: 2 },
          params: {
            type: "object",
            properties: { epochs: { type: "integer", minimum: 1, default: 3 } },
            additionalProperties: false,
          },
        },
        { kind: "change", models: { base: "base" } },
      ],
    });
  });

  it("data sets come with the workers that have them", async () => {
    await rig.work(succeed);
    const { body } = await rig.get("/v1/datasets");
    expect(body).toMatchObject({
      datasets: expect.arrayContaining([
        expect.objectContaining({ name: "tiny", workers: ["w-1"], licence: expect.any(String) }),
        expect.objectContaining({ name: "fashion-mnist", workers: [], inputShape: [28, 28, 1] }),
      ]),
    });
  });

  it("families come with the JSON Schema of their parameters", async () => {
    const { body } = await rig.get("/v1/families");
    expect(body).toMatchObject({
      families: expect.arrayContaining([
        expect.objectContaining({
          name: "mlp",
          params: expect.objectContaining({ properties: expect.objectContaining({ hidden: expect.any(Object) }) }),
        }),
      ]),
    });
  });

  it("workers come with what they run on", async () => {
    expect((await rig.get("/v1/workers")).body).toEqual({ workers: [] });
    await rig.work(succeed);
    expect((await rig.get("/v1/workers")).body).toMatchObject({
      workers: [
        {
          id: "w-1",
          host: "here",
          pid: process.pid,
          backend: { backend: "wasm" },
          kinds: ["make", "change"],
          jobs: [],
        },
      ],
    });
  });

  it("a worker is asked to drain", async () => {
    await rig.work(succeed);
    const drained = await rig.post("/v1/workers/w-1/drain");
    expect(drained).toMatchObject({ status: 200, body: { id: "w-1", draining: true } });
    expect((await rig.post("/v1/workers/nobody/drain")).status).toBe(404);
  });

  it("metrics count requests, jobs by kind and state, and workers", async () => {
    await rig.work(succeed);
    const id = await rig.submit();
    await rig.reaches(id, "completed");
    const { body, headers } = await rig.get("/metrics");
    expect(headers.get("content-type")).toMatch("text/plain");
    expect(body).toContain('whittle_jobs_finished_total{kind="make",state="completed"} 1');
    expect(body).toContain('whittle_jobs{kind="make",state="waiting"} 0');
    expect(body).toContain('whittle_workers{kind="change"} 1');
    expect(body).toMatch(/whittle_jobs_ready\{kind="make"\} \d/);
    expect(body).toContain("whittle_redis_up 1");
    expect(body).toMatch(
      /whittle_http_request_duration_seconds_count{method="POST",route="\/v1\/jobs\/:kind",status="202"} 1/,
    );
  });
});
