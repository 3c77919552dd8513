import { npzOf, smallArrays } from "@whittle/zoo/uploaded/testing";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { useRig } from "./rig.ts";

const rig = useRig();

const document = z.looseObject({
  openapi: z.literal("3.1.0"),
  paths: z.record(z.string(), z.record(z.string(), z.looseObject({ operationId: z.string() }))),
  components: z.looseObject({ schemas: z.record(z.string(), z.record(z.string(), z.unknown())) }),
});

async function read(): Promise<z.output<typeof document>> {
  return document.parse((await rig.get("/openapi.json")).body);
}

describe("the OpenAPI document", () => {
  it("has every job kind with its own body and example", async () => {
    const { paths } = await read();
    expect(paths["/v1/jobs/make"]?.["post"]).toMatchObject({
      requestBody: {
        content: {
          "application/json": {
            schema: { properties: { params: { properties: { epochs: { minimum: 1 } } }, priority: { default: 100 } } },
            example: { params: { epochs: 2 } },
          },
        },
      },
    });
    expect(Object.keys(paths)).toEqual(
      expect.arrayContaining(["/v1/jobs/{id}/events", "/v1/models/{name}/aliases/{alias}"]),
    );
  });

  it("says where a body is bytes", async () => {
    const { paths } = await read();
    const bytes = { schema: { type: "string", format: "binary" } };
    expect(paths["/v1/uploads"]?.["post"]).toMatchObject({
      requestBody: { content: { "application/octet-stream": bytes, "application/zip": bytes } },
      responses: { 201: {} },
    });
    const upload = paths["/v1/datasets/{name}/versions"]?.["post"];
    expect(upload).toMatchObject({ requestBody: { content: { "application/zip": bytes } } });
    const fields = z.array(z.looseObject({ name: z.string(), in: z.string() })).parse(upload?.["parameters"]);
    expect(fields.map(({ name, in: where }) => `${where} ${name}`)).toEqual([
      "path name",
      "query scale",
      "query offset",
      "header Content-Digest",
    ]);
  });

  it("has the fields of queries with what they may be", async () => {
    const { paths } = await read();
    const fields = z.array(z.looseObject({ name: z.string(), in: z.string(), schema: z.unknown() }));
    const of = (path: string) => fields.parse(paths[path]?.["get"]?.["parameters"]);
    const listing = of("/v1/jobs");
    expect(listing.map(({ name }) => name)).toEqual(["kind", "state", "limit", "cursor"]);
    expect(listing[0]).toMatchObject({ in: "query", schema: { type: "string", enum: ["make", "change"] } });
    for (const path of ["/v1/models", "/v1/datasets"])
      expect(of(path).map(({ name }) => name)).toEqual(["limit", "cursor"]);
    for (const path of ["/v1/models/{name}/versions", "/v1/datasets/{name}/versions"])
      expect(of(path).map(({ name }) => name)).toEqual(["name", "limit", "cursor"]);
    expect(of("/v1/jobs/{id}/logs").map(({ name }) => name)).toEqual(["id", "after", "limit"]);
  });

  it("has operations of different names, and only references that are there", async () => {
    const { paths, components, ...rest } = await read();
    const ids = Object.values(paths).flatMap((methods) => Object.values(methods).map(({ operationId }) => operationId));
    expect(new Set(ids).size).toBe(ids.length);
    const references = [...JSON.stringify({ paths, components, rest }).matchAll(/"\$ref":"([^"]+)"/g)].map(
      ([, to = ""]) => to,
    );
    expect(references.length).toBeGreaterThan(10);
    for (const to of references)
      expect(Object.keys(components.schemas)).toContain(to.replace("#/components/schemas/", ""));
  });

  it("has all methods of its paths: any other is 405, and Allow names them", async () => {
    const { paths } = await read();
    for (const [path, operations] of Object.entries(paths)) {
      const answer = await rig.send("PATCH", path.replaceAll(/\{\w+\}/g, "1"), {});
      expect(answer, path).toMatchObject({ status: 405, body: { status: 405, code: "method_not_allowed" } });
      const allowed = answer.headers.get("allow")?.split(", ");
      expect(allowed, path).toEqual(expect.arrayContaining(Object.keys(operations).map((each) => each.toUpperCase())));
    }
  });

  it("describes what the API answers", async () => {
    const { components } = await read();
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    ajv.addSchema({ $id: "api", components });
    const check = (name: string, value: unknown): unknown => {
      const validate = ajv.compile({ $ref: `api#/components/schemas/${name}` });
      return validate(value) || validate.errors;
    };
    const job = await rig.post("/v1/jobs/make", {});
    expect(check("Job", job.body)).toBe(true);
    expect(check("JobPage", (await rig.get("/v1/jobs")).body)).toBe(true);
    expect(check("Problem", (await rig.get("/v1/jobs/x")).body)).toBe(true);
    const pipeline = await rig.post("/v1/pipelines", { steps: [{ step: "a", kind: "make" }] });
    expect(check("Pipeline", pipeline.body)).toBe(true);
    const { datasets } = z.object({ datasets: z.array(z.unknown()) }).parse((await rig.get("/v1/datasets")).body);
    for (const each of datasets) expect(check("Dataset", each)).toBe(true);
    const uploaded = await rig.upload("/v1/datasets/mine/versions", npzOf(smallArrays));
    expect(check("UploadedDataset", uploaded.body)).toBe(true);
    expect(check("postV1UploadsAnswer", (await rig.upload("/v1/uploads", Uint8Array.of(1))).body)).toBe(true);
    expect(check("Job", { id: 3 })).not.toBe(true);
  });

  it("is shown by a page that needs no other server", async () => {
    const page = await rig.get("/docs/");
    expect(page.body).toContain("swagger-ui");
    expect(String(page.body)).not.toMatch(/https?:\/\//);
    expect((await rig.get("/docs/swagger-initializer.js")).body).toContain('url: "/openapi.json"');
    expect((await rig.get("/docs/swagger-ui-bundle.js")).status).toBe(200);
    const policy = page.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("script-src 'self'");
    expect(policy).not.toContain("upgrade-insecure-requests");
  });
});
