import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { denseModel, twoInputModel } from "../../testing/models.ts";
import { startServe, type TestServe } from "../../testing/server.ts";

let serve: TestServe;
beforeAll(async () => {
  serve = await startServe({ bodyLimit: 4096 });
  await serve.publish(denseModel(), "dense");
  await serve.publish(denseModel([100, 200]), "dense");
  await serve.store.setAlias("dense", "old", 1, { actor: "test" });
  await serve.publish(twoInputModel(), "two");
});
afterAll(() => serve.remove());

const x = { name: "x", shape: [1, 3], datatype: "FP32", data: [1, 2, 3] };

/** Zeros for the model `two`. */
const tensor = (name: string, rows: number) => ({
  name,
  shape: [rows, 2],
  datatype: "FP32",
  data: Array.from({ length: rows * 2 }, () => 0),
});

describe("open inference protocol: about the server and its models", () => {
  it.each(["/v2", "/v2/"])("names the server and its extensions at %s", async (path) => {
    const { status, body } = await serve.get(path);
    expect(status).toBe(200);
    expect(body).toEqual({
      name: "whittle-serve",
      version: expect.any(String),
      extensions: ["binary_tensor_data", "model_repository"],
    });
  });

  it("is live and ready", async () => {
    expect(await serve.get("/v2/health/live")).toMatchObject({ status: 200, body: { live: true } });
    expect(await serve.get("/v2/health/ready")).toMatchObject({ status: 200, body: { ready: true } });
  });

  it("describes a model with its tensors, preprocessing and labels", async () => {
    expect((await serve.get("/v2/models/dense")).body).toEqual({
      name: "dense",
      versions: ["1", "2"],
      platform: "onnx_onnxv1",
      inputs: [{ name: "x", datatype: "FP32", shape: [-1, 3] }],
      outputs: [{ name: "logits", datatype: "FP32", shape: [-1, 2] }],
      parameters: {
        digest: (await serve.store.resolve("dense")).digest,
        preprocessing: { scale: 0.5, offset: -1 },
        labels: ["left", "right"],
      },
    });
  });

  it("begins to load a model when asked whether it is ready", async () => {
    await serve.publish(denseModel(), "asked");
    expect(await serve.get("/v2/models/asked/ready")).toMatchObject({ status: 400, body: { ready: false } });
    await expect.poll(() => serve.get("/v2/models/asked/ready")).toMatchObject({ status: 200, body: { ready: true } });
  });

  it.each([
    ["/v2/models/half", 404, 'no model "half"'],
    ["/v2/models/half/ready", 404, 'no model "half"'],
    ["/v2/models/dense/versions/9", 404, "dense has no version 9; it has 1, 2"],
    ["/v2/models/dense/versions/one/ready", 400, '"one" is no version'],
    ["/v2/models/..%2Fx", 400, "must be name, name@alias or name@version"],
    ["/v2/models/%ff", 400, ""],
    ["/v2/nothing", 404, "nothing at GET /v2/nothing"],
  ])("answers %s with %i", async (path, status, message) => {
    expect(await serve.get(path)).toMatchObject({ status, body: { error: expect.stringContaining(message) } });
  });
});

describe("open inference protocol: infer", () => {
  it("gives the right answer, and the id back", async () => {
    expect(await serve.post("/v2/models/dense/versions/1/infer", { id: "q7", inputs: [x] })).toMatchObject({
      status: 200,
      body: {
        id: "q7",
        model_name: "dense",
        model_version: "1",
        outputs: [{ name: "logits", shape: [1, 2], datatype: "FP32", data: [4, 5] }],
      },
    });
  });

  it("answers with the newest version, and with an alias' where one is named", async () => {
    const newest = await serve.post("/v2/models/dense/infer", { inputs: [x] });
    expect(newest.body).toMatchObject({ model_version: "2", outputs: [{ data: [104, 205] }] });
    const old = await serve.post("/v2/models/dense@old/infer", { inputs: [x] });
    expect(old.body).toMatchObject({ model_version: "1", outputs: [{ data: [4, 5] }] });
  });

  it("takes nested data", async () => {
    const input = {
      ...x,
      shape: [2, 3],
      data: [
        [1, 2, 3],
        [0, 0, -1],
      ],
    };
    const { body } = await serve.post("/v2/models/dense@1/infer", { inputs: [input] });
    expect(body).toMatchObject({ outputs: [{ shape: [2, 2], data: [4, 5, -1, -1] }] });
  });

  it("takes several inputs in any order and gives the outputs that are asked for, in that order", async () => {
    const inputs = [
      { name: "b", shape: [1, 2], datatype: "FP32", data: [3, 4] },
      { name: "a", shape: [1, 2], datatype: "FP32", data: [1, 1] },
    ];
    expect((await serve.post("/v2/models/two/infer", { inputs })).body).toMatchObject({
      outputs: [
        { name: "sum", data: [4, 5] },
        { name: "total", data: [43] },
      ],
    });
    const { body } = await serve.post("/v2/models/two/infer", { inputs, outputs: [{ name: "total" }] });
    expect(body).toMatchObject({ outputs: [{ name: "total", shape: [1, 1], data: [43] }] });
    expect(body).not.toHaveProperty("outputs.1");
  });
});

describe("open inference protocol: refused inferences", () => {
  it.each([
    ["a wrong name", { inputs: [{ ...x, name: "y" }] }, 'no input "y"; the model takes x FP32 [-1, 3]'],
    ["no input", { inputs: [] }, 'input "x" is missing'],
    ["an input twice", { inputs: [x, x] }, 'input "x" is given twice'],
    ["a wrong size", { inputs: [{ ...x, shape: [1, 4], data: [1, 2, 3, 4] }] }, "has shape [1, 4], must have [-1, 3]"],
    ["a wrong rank", { inputs: [{ ...x, shape: [3] }] }, "has shape [3], must have [-1, 3]"],
    ["a negative size", { inputs: [{ ...x, shape: [-1, 3] }] }, "inputs.0.shape.0"],
    ["a wrong datatype", { inputs: [{ ...x, datatype: "FP64" }] }, 'input "x" is FP64, must be FP32'],
    ["a datatype that isn't one", { inputs: [{ ...x, datatype: "FLOAT" }] }, "is FLOAT, must be FP32"],
    ["too few values", { inputs: [{ ...x, data: [1, 2] }] }, "data has 2 values, but its shape [1, 3] means 3 values"],
    ["no values", { inputs: [{ ...x, data: undefined }] }, 'input "x" has no data'],
    [
      "wrong nesting",
      {
        inputs: [
          {
            ...x,
            shape: [2, 3],
            data: [
              [1, 2],
              [3, 4],
              [5, 6],
            ],
          },
        ],
      },
      "the shape [3, 2]",
    ],
    [
      "ragged rows",
      {
        inputs: [
          {
            ...x,
            shape: [2, 3],
            data: [
              [1, 2, 3],
              [4, 5],
            ],
          },
        ],
      },
      "the same length",
    ],
    ["an empty batch", { inputs: [{ ...x, shape: [0, 3], data: [] }] }, 'input "x" is empty'],
    ["text for numbers", { inputs: [{ ...x, data: [1, "2", 3] }] }, 'value 1 is "2", must be a number'],
    ["null", { inputs: [{ ...x, data: [1, null, 3] }] }, "value 1 is null, must be a number"],
    ["a number beyond FP32", { inputs: [{ ...x, data: [1, 1e39, 3] }] }, "value 1 is 1e+39"],
    ["an unknown output", { inputs: [x], outputs: [{ name: "probs" }] }, 'no output "probs"; the model gives logits'],
    ["no object", [1], "The inference request is not valid"],
    ["no JSON", "{inputs", "the body is not JSON"],
    ["nothing", "", "the body is not JSON"],
    [
      "a number beyond every float",
      '{"inputs":[{"name":"x","shape":[1,3],"datatype":"FP32","data":[1,1e400,3]}]}',
      "value 1 is Infinity, must be a number that FP32 can hold",
    ],
    ["bare NaN", '{"inputs":[{"name":"x","shape":[1,3],"datatype":"FP32","data":[1,NaN,3]}]}', "as binary tensor data"],
  ])("refuses %s", async (_, request, message) => {
    const { status, body } = await serve.post("/v2/models/dense/infer", request);
    expect(body).toEqual({ error: expect.stringContaining(message) });
    expect(status).toBe(400);
  });

  it("refuses inputs with different numbers of samples", async () => {
    expect(await serve.post("/v2/models/two/infer", { inputs: [tensor("a", 2), tensor("b", 3)] })).toMatchObject({
      status: 400,
      body: { error: "every input must have as many samples: a has 2, b has 3" },
    });
  });

  it("refuses a body over the limit", async () => {
    expect(await serve.post("/v2/models/dense/infer", "x".repeat(5000))).toMatchObject({
      status: 413,
      body: { error: "the body is larger than 4096 bytes" },
    });
  });

  it.each(["/v2/models/half/infer", "/v2/models/dense/versions/9/infer"])("answers 404 to %s", async (path) => {
    expect(await serve.post(path, { inputs: [x] })).toMatchObject({
      status: 404,
      body: { error: expect.any(String) },
    });
  });
});
