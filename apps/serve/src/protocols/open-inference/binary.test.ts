import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { denseModel, twoInputModel } from "../../testing/models.ts";
import { startServe, type TestServe } from "../../testing/server.ts";

let serve: TestServe;
beforeAll(async () => {
  serve = await startServe();
  await serve.publish(denseModel(), "dense");
  await serve.publish(denseModel([100, 200]), "dense");
  await serve.publish(twoInputModel(), "two");
});
afterAll(() => serve.remove());

const x = { name: "x", shape: [1, 3], datatype: "FP32", data: [1, 2, 3] };

const binaryPath = "/v2/models/dense@1/infer";
const binaryX = { name: "x", shape: [1, 3], datatype: "FP32", parameters: { binary_data_size: 12 } };

/** JSON, then raw little-endian floats. */
function packed(request: unknown, ...values: number[]) {
  const json = Buffer.from(JSON.stringify(request));
  const body = Buffer.concat([json, Buffer.from(Float32Array.from(values).buffer)]);
  return { body, headers: { "Inference-Header-Content-Length": String(json.byteLength) } };
}

describe("open inference protocol: binary tensor data", () => {
  it("takes raw tensors behind the JSON, in its order", async () => {
    const inputs = ["b", "a"].map((name) => ({ ...binaryX, name, shape: [1, 2], parameters: { binary_data_size: 8 } }));
    const { body, headers } = packed({ inputs }, 3, 4, 1, 1);
    expect((await serve.post("/v2/models/two/infer", body, headers)).body).toMatchObject({
      outputs: [{ data: [4, 5] }, { data: [43] }],
    });
  });

  it("takes raw and JSON tensors in one request", async () => {
    const a = { name: "a", shape: [1, 2], datatype: "FP32", data: [1, 1] };
    const b = { ...binaryX, name: "b", shape: [1, 2], parameters: { binary_data_size: 8 } };
    const { body, headers } = packed({ inputs: [a, b] }, 3, 4);
    expect((await serve.post("/v2/models/two/infer", body, headers)).body).toMatchObject({
      outputs: [{ data: [4, 5] }, { data: [43] }],
    });
  });

  it.each([
    ["for every output", { parameters: { binary_data_output: true } }],
    ["for one output", { outputs: [{ name: "logits", parameters: { binary_data: true } }] }],
  ])("gives raw tensors when asked %s", async (_, options) => {
    const { headers, body } = await serve.post(binaryPath, { inputs: [x], ...options });
    const bytes = body instanceof Uint8Array ? body : new Uint8Array();
    const jsonLength = Number(headers.get("inference-header-content-length"));
    expect(headers.get("content-type")).toBe("application/octet-stream");
    expect(JSON.parse(new TextDecoder().decode(bytes.subarray(0, jsonLength)))).toMatchObject({
      outputs: [{ name: "logits", shape: [1, 2], datatype: "FP32", parameters: { binary_data_size: 8 } }],
    });
    expect(new Float32Array(bytes.slice(jsonLength).buffer)).toEqual(Float32Array.of(4, 5));
  });

  it("lets an output's own wish win over the request's", async () => {
    const outputs = [{ name: "logits", parameters: { binary_data: false } }];
    const { body } = await serve.post(binaryPath, { inputs: [x], outputs, parameters: { binary_data_output: true } });
    expect(body).toMatchObject({ outputs: [{ data: [4, 5] }] });
  });

  it("takes a whole body as the one sample of the one input when the header says 0", async () => {
    const body = Buffer.from(Float32Array.of(1, 2, 3).buffer);
    const answer = await serve.post(binaryPath, body, { "Inference-Header-Content-Length": "0" });
    expect(answer.body).toMatchObject({ outputs: [{ shape: [1, 2], data: [4, 5] }] });
  });

  it("takes NaN, and refuses to give it in JSON", async () => {
    const asJson = packed({ inputs: [binaryX] }, 1, Number.NaN, 3);
    expect(await serve.post(binaryPath, asJson.body, asJson.headers)).toMatchObject({
      status: 400,
      body: { error: expect.stringContaining('ask for it with "parameters": {"binary_data": true}') },
    });
    const asBytes = packed({ inputs: [binaryX], parameters: { binary_data_output: true } }, 1, Number.NaN, 3);
    const { status, body } = await serve.post(binaryPath, asBytes.body, asBytes.headers);
    expect(status).toBe(200);
    const bytes = body instanceof Uint8Array ? body : new Uint8Array();
    expect(new Float32Array(bytes.slice(-8).buffer)).toEqual(Float32Array.of(Number.NaN, Number.NaN));
  });
});

describe("open inference protocol: refused binary tensor data", () => {
  it.each([
    ["a body that ends early", packed({ inputs: [binaryX] }, 1, 2), "12 bytes should follow, 8 do"],
    ["a body that goes on", packed({ inputs: [binaryX] }, 1, 2, 3, 4), "4 bytes more than its tensors"],
    [
      "a size that isn't the shape's",
      packed({ inputs: [{ ...binaryX, parameters: { binary_data_size: 8 } }] }, 1, 2),
      "FP32 [1, 3] has 12 bytes",
    ],
    ["both kinds of data", packed({ inputs: [{ ...binaryX, data: [1, 2, 3] }] }, 1, 2, 3), "has both"],
    [
      "a header beyond the body",
      { ...packed({ inputs: [x] }), headers: { "Inference-Header-Content-Length": "9999" } },
      "is 9999, but the body has",
    ],
    [
      "a header that is no number",
      { ...packed({ inputs: [x] }), headers: { "Inference-Header-Content-Length": "-1" } },
      "must be the number of bytes of JSON",
    ],
    [
      "a raw body of the wrong size",
      { body: Buffer.alloc(8), headers: { "Inference-Header-Content-Length": "0" } },
      'one sample of input "x", FP32 [1, 3], has 12',
    ],
  ])("refuses %s", async (_, { body, headers }, message) => {
    expect(await serve.post(binaryPath, body, headers)).toMatchObject({
      status: 400,
      body: { error: expect.stringContaining(message) },
    });
  });
});
