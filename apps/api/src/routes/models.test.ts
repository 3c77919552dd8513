import { createHash } from "node:crypto";
import type { ArtifactDraft } from "@whittle/contracts";
import { beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { useRig } from "../rig.ts";

const rig = useRig();

const bytes = new TextEncoder().encode("not really onnx");
const sha = createHash("sha256").update(bytes).digest("hex");

function draft(base?: string): ArtifactDraft {
  const tensor = { name: "x", datatype: "FP32" as const, shape: [-1, 2] };
  return {
    config: {
      family: "mlp",
      familyParams: base === undefined ? {} : { made: "from base" },
      signature: { inputs: [tensor], outputs: [tensor] },
      preprocessing: { scale: 1, offset: 0 },
    },
    metrics: {},
    job: { kind: "make", params: {} },
    parents: base === undefined ? [] : [{ role: "base", digest: base }],
    versions: {},
    files: [{ path: "model.onnx", role: "onnx", mediaType: "application/onnx", bytes }],
    measurements: {},
  };
}

let base: string;

beforeEach(async () => {
  const first = await rig.store.publish(draft(), { name: "big", jobId: "j1", actor: "test" });
  base = first.digest;
  await rig.store.publish(draft(base), { name: "small", alias: "prod", jobId: "j2", actor: "test" });
});

describe("models", () => {
  it("are listed with their versions and aliases", async () => {
    expect((await rig.get("/v1/models")).body).toMatchObject({
      models: [
        { name: "big", versions: [1], aliases: {} },
        { name: "small", versions: [1], aliases: { prod: { version: 1, generation: 1 } } },
      ],
    });
    expect((await rig.get("/v1/models/small")).body).toMatchObject({ name: "small", versions: [1] });
    expect((await rig.get("/v1/models/small/versions")).body).toMatchObject({
      versions: [{ version: 1, jobId: "j2" }],
    });
    expect((await rig.get("/v1/models/big/versions/1")).body).toMatchObject({
      digest: base,
      manifest: { config: { family: "mlp" } },
    });
  });

  it("come in pages by name, which what is published meanwhile does not move", async () => {
    await rig.store.publish(draft(), { name: "tiny", jobId: "j3", actor: "test" });
    const first = await rig.get("/v1/models?limit=2");
    expect(first.body).toMatchObject({ models: [{ name: "big" }, { name: "small" }], cursor: "small" });
    await rig.store.publish(draft(), { name: "before", jobId: "j4", actor: "test" });
    const last = z.object({ models: z.array(z.looseObject({ name: z.string() })), cursor: z.never().optional() });
    const { models } = last.parse((await rig.get("/v1/models?limit=2&cursor=small")).body);
    expect(models.map(({ name }) => name)).toEqual(["tiny"]);
    const all = last.parse((await rig.get("/v1/models")).body);
    expect(all.models.map(({ name }) => name)).toEqual(["before", "big", "small", "tiny"]);
  });

  it("have versions in pages, oldest first", async () => {
    for (const jobId of ["j3", "j4", "j5"])
      await rig.store.publish(draft(base), { name: "small", jobId, actor: "test" });
    await rig.store.deleteVersion("small", 2, { actor: "test" });
    const page = z.object({
      versions: z.array(z.object({ version: z.int() })),
      cursor: z.string().optional(),
    });
    const read = async (query: string) => {
      const { versions, cursor } = page.parse((await rig.get(`/v1/models/small/versions${query}`)).body);
      return [versions.map(({ version }) => version), cursor];
    };
    expect(await read("")).toEqual([[1, 3, 4], undefined]);
    expect(await read("?limit=2")).toEqual([[1, 3], "3"]);
    expect(await read("?limit=2&cursor=3")).toEqual([[4], undefined]);
    expect(await read("?limit=1&cursor=2")).toEqual([[3], "3"]);
    expect(await read("?cursor=9")).toEqual([[], undefined]);
  });

  it.each([
    ["/v1/models?cursor=Big", "cursor", "must be the cursor of the page before"],
    ["/v1/models?limit=0", "limit", "at least 1"],
    ["/v1/models?after=big", "after", "the query may have limit, cursor"],
    ["/v1/models/small/versions?cursor=0", "cursor", "must be the cursor of the page before"],
    ["/v1/datasets?cursor=mine", "cursor", "must be the cursor of the page before"],
    ["/v1/datasets/mine/versions?limit=201", "limit", "at most 200"],
  ])("refuses %s", async (path, field, message) => {
    expect(await rig.get(path)).toMatchObject({
      status: 400,
      body: { issues: [{ path: field, message: expect.stringContaining(message) }] },
    });
  });

  it("have a report by name, version and alias, which names what they were made from", async () => {
    for (const reference of ["small", "small@1", "small@prod"]) {
      const { status, headers, body } = await rig.get(`/v1/models/${reference}/report`);
      expect({ status, type: headers.get("content-type") }).toEqual({
        status: 200,
        type: "text/markdown; charset=utf-8",
      });
      expect(body).toContain("# small@1");
      expect(body).toMatch(new RegExp(`base.*${base}`));
    }
    expect((await rig.get("/v1/models/big/report.svg")).body).toMatchObject({ code: "not_found" });
    expect(await rig.get(`/v1/models/${base}/report`)).toMatchObject({
      status: 400,
      body: { issues: [{ path: "name" }] },
    });
    expect((await rig.get("/v1/models/nothing/report")).status).toBe(404);
  });

  it("show their manifest and lineage by name, version, alias and digest", async () => {
    for (const reference of ["big", "big@1", base]) {
      expect((await rig.get(`/v1/models/${encodeURIComponent(reference)}/manifest`)).body).toMatchObject({
        schemaVersion: 1,
      });
    }
    expect((await rig.get("/v1/models/small@prod/lineage")).body).toMatchObject({
      names: ["small@1"],
      parents: [{ digest: base, names: ["big@1"], role: "base", parents: [] }],
    });
  });

  it("that are not there are 404 with what is there", async () => {
    const { status, body } = await rig.get("/v1/models/huge");
    expect({ status, body }).toMatchObject({ status: 404, body: { detail: expect.stringContaining("big, small") } });
    expect((await rig.get("/v1/models/big/versions/7")).status).toBe(404);
    expect((await rig.get("/v1/models/big/versions/x")).body).toMatchObject({ issues: [{ path: "version" }] });
    expect((await rig.get("/v1/models/small@gone/manifest")).status).toBe(404);
    expect((await rig.get("/v1/models/small/files/model.txt")).body).toMatchObject({
      detail: expect.stringContaining("model.onnx"),
    });
  });

  it("send their files with the digest, and 304 to who has it", async () => {
    const answer = await rig.get("/v1/models/small@prod/files/onnx");
    expect(answer).toMatchObject({ status: 200, body: "not really onnx" });
    expect(answer.headers.get("etag")).toBe(`"sha256:${sha}"`);
    expect(answer.headers.get("repr-digest")).toBe(`sha-256=:${Buffer.from(sha, "hex").toString("base64")}:`);
    expect(answer.headers.get("content-type")).toBe("application/onnx");
    const again = await rig.get("/v1/models/small/files/model.onnx", { "if-none-match": `"sha256:${sha}"` });
    expect(again).toMatchObject({ status: 304, body: "" });
  });

  it("move an alias, and refuse when it has moved since it was seen", async () => {
    await rig.store.publish(draft(), { name: "small", jobId: "j3", actor: "test" });
    expect(await rig.send("PUT", "/v1/models/small/aliases/prod", { version: 2, generation: 1 })).toMatchObject({
      status: 200,
      body: { version: 2, generation: 2, actor: "local" },
    });
    expect((await rig.send("PUT", "/v1/models/small/aliases/prod", { version: 1, generation: 1 })).status).toBe(409);
    expect((await rig.send("PUT", "/v1/models/small/aliases/prod", { version: 9 })).status).toBe(404);
    expect((await rig.send("PUT", "/v1/models/small/aliases/Prod", { version: 1 })).status).toBe(400);
  });

  it("are deleted, version by version, by whom may", async () => {
    await rig.store.publish(draft(base), { name: "small", jobId: "j3", actor: "test" });
    const path = "/v1/models/small/versions/2";
    const deleted = { status: 200, body: { name: "small", version: 2, actor: "local" } };
    expect(await rig.send("DELETE", path)).toMatchObject(deleted);
    expect(await rig.send("DELETE", path)).toMatchObject(deleted);
    expect((await rig.get(path)).body).toMatchObject({ detail: expect.stringContaining("it was deleted; it has 1") });
    expect((await rig.send("DELETE", "/v1/models/small/versions/9")).status).toBe(404);
    expect((await rig.send("DELETE", `${path}?force=perhaps`)).body).toMatchObject({ issues: [{ path: "force" }] });
    expect(await rig.send("DELETE", "/v1/models/small/versions/1")).toMatchObject({
      status: 409,
      body: { detail: expect.stringContaining("small@1 is what small@prod stands for") },
    });
    expect((await rig.send("DELETE", "/v1/models/small/versions/1?force=true")).status).toBe(200);
  });

  it.each(["big@1", "big", "digest"])("are not deleted while a job takes them as %s, unless forced", async (named) => {
    const id = await rig.submit("change", { params: { base: named === "digest" ? base : named } });
    const path = "/v1/models/big/versions/1";
    expect(await rig.send("DELETE", path)).toMatchObject({
      status: 409,
      body: { detail: expect.stringContaining(`big@1 is taken by job ${id}`) },
    });
    await rig.post(`/v1/jobs/${id}/cancel`);
    expect((await rig.send("DELETE", path)).status).toBe(200);
  });

  it("can be named by a job once they are there", async () => {
    expect((await rig.post("/v1/jobs/change", { params: { base: "small@prod" } })).status).toBe(202);
  });
});
