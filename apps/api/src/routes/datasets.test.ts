import { createHash } from "node:crypto";
import { catalog } from "@whittle/jobs/catalog";
import { npyOf, npzOf, smallArrays, zipOf, type Arrays } from "@whittle/zoo/uploaded/testing";
import { beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { useRig } from "../rig.ts";

const rig = useRig();
const file = npzOf(smallArrays);
const vectors: Arrays = {
  ...smallArrays,
  x_train: { values: Float32Array.from({ length: 12 }, (_, at) => at / 3), shape: [4, 3] },
  x_test: { values: new Float32Array(6), shape: [2, 3] },
  labels: { values: ["no", "yes"], shape: [2] },
};

const add = (name: string, bytes: Uint8Array = file, query = "") =>
  rig.upload(`/v1/datasets/${name}/versions${query}`, bytes);

describe("an uploaded data set", () => {
  it("is checked, stored as the next version, and listed", async () => {
    const digest = `sha256:${createHash("sha256").update(file).digest("hex")}`;
    const first = await add("mine");
    expect(first).toMatchObject({
      status: 201,
      body: {
        name: "mine",
        version: 1,
        digest,
        size: file.length,
        actor: "local",
        inputShape: [2, 2, 1],
        labels: ["0", "1"],
        preprocessing: { scale: 1 / 255, offset: 0 },
        samples: { train: 4, test: 2 },
      },
    });
    const second = await add("mine", npzOf(vectors), "?scale=2&offset=-1");
    expect(second).toMatchObject({
      status: 201,
      body: { version: 2, inputShape: [3], labels: ["no", "yes"], preprocessing: { scale: 2, offset: -1 } },
    });
    const versions = [first.body, second.body];
    expect((await rig.get("/v1/datasets/mine/versions")).body).toEqual({ versions });
    const listed = await rig.get("/v1/datasets");
    expect(listed.body).toMatchObject({ uploaded: versions });
    expect((await rig.get("/v1/datasets/other/versions")).status).toBe(404);
  });

  it("comes in pages, each with all of the zoo", async () => {
    for (const [name, scale] of [
      ["mine", 1],
      ["mine", 2],
      ["other", 1],
    ])
      expect((await add(String(name), file, `?scale=${scale}`)).status).toBe(201);
    const page = z.object({
      datasets: z.array(z.unknown()),
      uploaded: z.array(z.object({ name: z.string(), version: z.int() })),
      cursor: z.string().optional(),
    });
    const read = async (query: string) => {
      const found = page.parse((await rig.get(`/v1/datasets${query}`)).body);
      expect(found.datasets.length).toBeGreaterThan(1);
      return [found.uploaded.map(({ name, version }) => `${name}@${version}`), found.cursor];
    };
    expect(await read("")).toEqual([["mine@1", "mine@2", "other@1"], undefined]);
    expect(await read("?limit=1")).toEqual([["mine@1"], "mine@1"]);
    expect(await read("?limit=2&cursor=mine@1")).toEqual([["mine@2", "other@1"], undefined]);
    expect((await rig.get("/v1/datasets/mine/versions?limit=1")).body).toMatchObject({
      versions: [{ version: 1 }],
      cursor: "1",
    });
  });

  it("is listed with what is warned of, which makes no other version of it", async () => {
    const untaught = npzOf({ ...smallArrays, y_test: { values: Uint8Array.of(1, 2), shape: [2] } });
    const warnings = [
      expect.stringMatching(/^y_test has 1 of its 2 samples in a class that y_train has no sample of: 2/),
    ];
    const first = await add("mine", untaught);
    expect(first).toMatchObject({ status: 201, body: { version: 1, warnings } });
    expect((await add("mine", untaught)).body).toEqual(first.body);
    expect((await rig.get("/v1/datasets/mine/versions")).body).toMatchObject({ versions: [{ warnings }] });
    expect((await rig.get("/v1/datasets")).body).toMatchObject({ uploaded: [{ warnings }] });
    expect((await add("other")).body).not.toHaveProperty("warnings");
  });

  it("is the newest version again when it is sent again, and another with another scale", async () => {
    const first = await add("mine");
    expect((await add("mine")).body).toEqual(first.body);
    expect((await add("mine", file, "?scale=1")).body).toMatchObject({ version: 2 });
    expect((await rig.store.usage()).used.blobs).toBe(1);
  });

  it.each([
    ["no archive", Uint8Array.of(1, 2, 3), 400, "", /no zip archive/],
    ["a path in the archive", zipOf([{ name: "../../x", bytes: file }]), 400, "", /may only have x_train.npy/],
    ["an array missing", npzOf({ x_train: smallArrays["x_train"]! }), 400, "x_test", /is missing/],
    [
      "fewer values than a shape says",
      npzOf({ ...smallArrays, y_test: { values: Uint8Array.of(0, 1), shape: [3] } }),
      400,
      "y_test",
      /has 2 bytes of values; its shape and type need 3/,
    ],
    [
      "an array that unpacked is beyond the limit",
      zipOf([{ name: "x_train.npy", bytes: npyOf(new Uint8Array(2_000_000), [1, 2, 1]), deflated: true }]),
      413,
      "",
      /unpacked; it may have at most 1000000/,
    ],
  ])("with %s is refused and leaves nothing", async (_what, bytes, status, path, detail) => {
    expect(await add("mine", bytes)).toMatchObject({
      status,
      body: { issues: [{ path }], detail: expect.stringMatching(detail) },
    });
    expect((await rig.get("/v1/datasets")).body).toMatchObject({ uploaded: [] });
    expect(await rig.store.usage()).toMatchObject({ used: { blobs: 0 }, unused: { blobs: 0 } });
  });

  it("has a name of its own, a scale that is a number, and no other settings", async () => {
    expect(await add("tiny")).toMatchObject({
      status: 400,
      body: {
        issues: [{ path: "name", message: "must not be tiny, which is a data set of the zoo: choose another name" }],
      },
    });
    expect(await add("Mine")).toMatchObject({ status: 400, body: { issues: [{ path: "name" }] } });
    expect(await add("mine", file, "?scale=0")).toMatchObject({ status: 400, body: { issues: [{ path: "scale" }] } });
    expect(await add("mine", file, "?offset=x")).toMatchObject({ status: 400, body: { issues: [{ path: "offset" }] } });
    expect(await add("mine", file, "?mean=1")).toMatchObject({ status: 400, body: { issues: [{ path: "mean" }] } });
    expect(await add("mine", new Uint8Array(1_000_001))).toMatchObject({ status: 413 });
    expect(await rig.post("/v1/datasets/mine/versions", {})).toMatchObject({ status: 415 });
    const wrongSum = { "content-type": "application/zip", "content-digest": "sha-256=:AAAA:" };
    expect(await rig.post("/v1/datasets/mine/versions", file, wrongSum)).toMatchObject({ status: 400 });
    expect((await rig.get("/v1/datasets")).body).toMatchObject({ uploaded: [] });
  });

  it("is added with a key that may submit, and deleted with one that may do everything", async () => {
    const keys = (["read", "submit", "admin"] as const).map((scope) => ({ key: `key-that-may-${scope}`, scope }));
    const { url } = await rig.startReady({ keys });
    const send = async (scope: string, method: string, path: string): Promise<number> => {
      const headers = { authorization: `Bearer key-that-may-${scope}`, "content-type": "application/zip" };
      const body = method === "POST" ? { body: new Uint8Array(file) } : {};
      return (await fetch(`${url}/v1/datasets/mine/versions${path}`, { method, headers, ...body })).status;
    };
    expect(await send("read", "POST", "")).toBe(403);
    expect(await send("submit", "POST", "")).toBe(201);
    expect(await send("read", "GET", "")).toBe(200);
    expect(await send("submit", "DELETE", "/1")).toBe(403);
    expect(await send("admin", "DELETE", "/1")).toBe(200);
  });
});

describe("a job on an uploaded data set", () => {
  let url: string;
  beforeEach(async () => {
    ({ url } = await rig.startReady({ catalog }));
    await add("images");
    await add("vectors", npzOf(vectors));
  });

  const post = async (path: string, body: unknown) => {
    const headers = { "content-type": "application/json" };
    const response = await fetch(url + path, { method: "POST", headers, body: JSON.stringify(body) });
    return { status: response.status, body: z.looseObject({}).parse(await response.json()) };
  };
  const train = (params: object) => post("/v1/jobs/train", { params: { epochs: 1, ...params } });

  it("is taken where the version is there and the family takes its samples", async () => {
    expect(await train({ family: "mlp", dataset: "vectors@1" })).toMatchObject({
      status: 202,
      body: { params: { dataset: "vectors@1" } },
    });
    const steps = [
      { step: "a", kind: "train", params: { family: "cnn", dataset: "images@1" } },
      { step: "b", kind: "quantize", params: { model: "$a" } },
    ];
    expect((await post("/v1/pipelines", { steps })).status).toBe(202);
  });

  it.each([
    [{ family: "mlp", dataset: "images@2" }, "params.dataset", "the data set images has no version 2; it has 1"],
    [
      { family: "mlp", dataset: "cars@1" },
      "params.dataset",
      'there is no uploaded data set "cars"; the store has images, vectors',
    ],
    [
      { family: "mlp", dataset: "images" },
      "params.dataset",
      'must be a data set of the zoo (cifar-10, fashion-mnist, mnist, tiny, udhr) or an uploaded one with its version, such as mine@1, not "images"',
    ],
    [
      { family: "cnn", dataset: "vectors@1" },
      "params.family",
      "a cnn takes images [height, width, channels], not [3], as vectors@1 has",
    ],
  ])("is refused for %j", async (params, path, message) => {
    expect(await train(params)).toMatchObject({ status: 400, body: { issues: [{ path, message }] } });
    const steps = [
      { step: "a", kind: "train", params: { family: "mlp", dataset: "vectors@1" } },
      { step: "b", kind: "train", params },
    ];
    expect(await post("/v1/pipelines", { steps })).toMatchObject({
      status: 400,
      body: { issues: [{ path: `steps.1.${path}`, message }] },
    });
  });

  it("keeps the data set from being deleted until it ends, unless that is forced", async () => {
    const remove = async (path: string) => {
      const response = await fetch(`${url}/v1/datasets/${path}`, { method: "DELETE" });
      return { status: response.status, body: z.looseObject({}).parse(await response.json()) };
    };
    const { body } = await train({ family: "mlp", dataset: "vectors@1" });
    expect(await remove("vectors/versions/1")).toMatchObject({
      status: 409,
      body: { detail: expect.stringContaining(`vectors@1 is taken by job ${String(body["id"])}`) },
    });
    expect((await remove("images/versions/1")).status).toBe(200);
    expect((await remove("images/versions/1")).status).toBe(200);
    expect((await remove("images/versions/2")).status).toBe(404);
    expect((await remove("vectors/versions/1?force=true")).status).toBe(200);
    expect((await train({ family: "mlp", dataset: "vectors@1" })).status).toBe(400);
    expect((await add("vectors", npzOf(vectors))).body).toMatchObject({ version: 2 });
  });

  it("keeps it also where it only takes a model that was made with it", async () => {
    const tensor = { name: "x", datatype: "FP32" as const, shape: [-1, 3] };
    const record = await rig.store.publish(
      {
        config: {
          family: "mlp",
          familyParams: {},
          signature: { inputs: [tensor], outputs: [tensor] },
          preprocessing: { scale: 1, offset: 0 },
        },
        metrics: {},
        job: { kind: "train", params: {} },
        data: { name: "vectors@1", digest: `sha256:${"0".repeat(64)}` },
        parents: [],
        versions: {},
        files: [{ path: "model.onnx", role: "onnx", mediaType: "application/onnx", bytes: file }],
        measurements: {},
      },
      { name: "made", jobId: "j", actor: "me" },
    );
    expect(record.version).toBe(1);
    expect((await post("/v1/jobs/quantize", { params: { model: "made" } })).status).toBe(202);
    const refused = await fetch(`${url}/v1/datasets/vectors/versions/1`, { method: "DELETE" });
    expect(refused.status).toBe(409);
    const other = await fetch(`${url}/v1/datasets/images/versions/1`, { method: "DELETE" });
    expect(other.status).toBe(200);
  });
});
