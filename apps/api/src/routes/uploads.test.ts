import { createHash } from "node:crypto";
import { catalog } from "@whittle/jobs/catalog";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { useRig } from "../rig.ts";

const rig = useRig();
const bytes = Uint8Array.from({ length: 3000 }, (_, at) => at * 7);
const sha256 = (encoding: "hex" | "base64") => createHash("sha256").update(bytes).digest(encoding);

describe("an upload", () => {
  it("is stored under its digest, once", async () => {
    const first = await rig.upload("/v1/uploads", bytes);
    expect(first).toMatchObject({ status: 201, body: { digest: `sha256:${sha256("hex")}`, size: 3000 } });
    expect((await rig.upload("/v1/uploads", bytes, { "content-type": "application/zip" })).body).toEqual(first.body);
    expect(await rig.store.readContent(`sha256:${sha256("hex")}`)).toEqual(bytes);
    expect((await rig.store.usage()).unused.blobs).toBe(1);
  });

  it("is checked against the digest that it is sent with", async () => {
    const right = { "content-digest": `sha-512=:AAAA:, sha-256=:${sha256("base64")}:` };
    expect((await rig.upload("/v1/uploads", bytes, right)).status).toBe(201);
    const cut = await rig.upload("/v1/uploads", bytes.slice(1), right);
    expect(cut).toMatchObject({
      status: 400,
      body: { detail: expect.stringContaining("2999 bytes arrived"), issues: [{ path: "content-digest" }] },
    });
  });

  it("over the limit is 413, of another type 415, compressed on the way or empty 400", async () => {
    expect(await rig.upload("/v1/uploads", new Uint8Array(1_000_001))).toMatchObject({
      status: 413,
      body: { code: "payload_too_large", detail: "the body may have at most 1000000 bytes" },
    });
    expect(await rig.upload("/v1/uploads", new Uint8Array(1_000_000))).toMatchObject({ status: 201 });
    expect(await rig.post("/v1/uploads", { a: 1 })).toMatchObject({
      status: 415,
      body: { detail: expect.stringMatching(/must be application\/octet-stream or application\/zip/) },
    });
    expect(await rig.upload("/v1/uploads", new Uint8Array(0))).toMatchObject({ status: 400 });
    expect(await rig.upload("/v1/uploads", bytes, { "content-encoding": "gzip" })).toMatchObject({ status: 400 });
    expect((await rig.store.usage()).unused.blobs).toBe(1);
  });

  it("needs a key that may submit, before anything of it is read", async () => {
    const key = "reader-0123456789";
    const { url } = await rig.startReady({ keys: [{ key, scope: "read" }] });
    const refused = await fetch(`${url}/v1/uploads`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/octet-stream" },
      body: new Uint8Array(1_000_001),
    });
    expect(refused.status).toBe(403);
  });
});

describe("a job that takes an upload", () => {
  const all = { delete: true, graceMs: 0 };
  const begin = async () => void (rig.api = await rig.startReady({ catalog }));
  const take = (file: string) => ({ kind: "import", params: { file, dataset: "fashion-mnist" } });
  const digest = `sha256:${sha256("hex")}`;

  it("is refused where there is no such upload, or data set, saying where and what to do", async () => {
    await begin();
    const { kind, params } = take(digest);
    const message = expect.stringMatching(/there is no upload sha256:\w+: send the file to POST \/v1\/uploads/);
    const lone = await rig.post(`/v1/jobs/${kind}`, { params });
    expect(lone).toMatchObject({ status: 400, body: { issues: [{ path: "params.file", message }] } });
    const steps = [{ step: "a", ...take(digest) }];
    const pipeline = await rig.post("/v1/pipelines", { steps });
    expect(pipeline).toMatchObject({ status: 400, body: { issues: [{ path: "steps.0.params.file", message }] } });
    expect((await rig.get("/v1/jobs")).body).toEqual({ jobs: [] });
    await rig.upload("/v1/uploads", bytes);
    const absent = await rig.post(`/v1/jobs/${kind}`, { params: { file: digest, dataset: "mine@1" } });
    expect(absent).toMatchObject({ status: 400, body: { issues: [{ path: "params.dataset" }] } });
  });

  it("keeps it, alone or in a pipeline, until it has ended", async () => {
    await begin();
    await rig.upload("/v1/uploads", bytes);
    const { kind, params } = take(digest);
    const ids = [z.object({ id: z.string() }).parse((await rig.post(`/v1/jobs/${kind}`, { params })).body).id];
    const { body } = await rig.post("/v1/pipelines", { steps: [{ step: "a", ...take(digest) }] });
    ids.push(
      ...z
        .object({ steps: z.array(z.object({ id: z.string() })) })
        .parse(body)
        .steps.map(({ id }) => id),
    );
    const open = new Set(ids);
    const hasEnded = async (id: string) => !open.has(id);
    for (const id of ids) {
      expect((await rig.store.collect({ ...all, hasEnded })).blobs.count).toBe(0);
      open.delete(id);
    }
    expect((await rig.store.collect({ ...all, hasEnded })).blobs.count).toBe(1);
    await rig.post(`/v1/jobs/${ids[0]}/cancel`);
    const retried = await rig.post(`/v1/jobs/${ids[0]}/retry`);
    expect(retried).toMatchObject({ status: 400, body: { issues: [{ path: "params.file" }] } });
    await rig.upload("/v1/uploads", bytes);
    expect(await rig.post(`/v1/jobs/${ids[0]}/retry`)).toMatchObject({ status: 200, body: { state: "waiting" } });
    expect((await rig.store.collect(all)).blobs.count).toBe(0);
  });
});
