import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { denseModel, twoInputModel } from "../../testing/models.ts";
import { startServe, type TestServe } from "../../testing/server.ts";

let serve: TestServe;
beforeAll(async () => {
  serve = await startServe();
  await serve.publish(denseModel(), "dense");
  await serve.publish(denseModel([100, 200]), "dense");
  await serve.store.setAlias("dense", "old", 1, { actor: "test" });
  await serve.publish(twoInputModel(), "two");
});
afterAll(() => serve.remove());

const ask = async (path: string) => (await serve.post(path, { instances: [[1, 2, 3]] })).body;
const dim = (size: string) => ({ size, name: "" });

describe("tensorflow serving: predict", () => {
  it("answers values with values, in row form", async () => {
    const instances = [
      [1, 2, 3],
      [0, 0, -1],
    ];
    expect(await serve.post("/v1/models/dense/versions/1:predict", { instances })).toMatchObject({
      status: 200,
      body: {
        predictions: [
          [4, 5],
          [-1, -1],
        ],
      },
    });
  });

  it("takes named values of one input, too", async () => {
    const instances = [{ x: [1, 2, 3] }];
    expect((await serve.post("/v1/models/dense/versions/1:predict", { instances })).body).toEqual({
      predictions: [[4, 5]],
    });
  });

  it("answers a tensor with a tensor, in column form", async () => {
    for (const inputs of [[[1, 2, 3]], { x: [[1, 2, 3]] }])
      expect((await serve.post("/v1/models/dense/versions/1:predict", { inputs })).body).toEqual({ outputs: [[4, 5]] });
  });

  it("answers several outputs with objects, in both forms", async () => {
    const row = {
      instances: [
        { a: [1, 1], b: [3, 4] },
        { b: [0, 1], a: [5, 6] },
      ],
    };
    expect((await serve.post("/v1/models/two:predict", row)).body).toEqual({
      predictions: [
        { sum: [4, 5], total: [43] },
        { sum: [5, 7], total: [10] },
      ],
    });
    const column = {
      inputs: {
        a: [
          [1, 1],
          [5, 6],
        ],
        b: [
          [3, 4],
          [0, 1],
        ],
      },
    };
    expect((await serve.post("/v1/models/two:predict", column)).body).toEqual({
      outputs: {
        sum: [
          [4, 5],
          [5, 7],
        ],
        total: [[43], [10]],
      },
    });
  });

  it("answers with the newest version, a version or a label", async () => {
    expect(await ask("/v1/models/dense:predict")).toEqual({ predictions: [[104, 205]] });
    expect(await ask("/v1/models/dense/versions/1:predict")).toEqual({ predictions: [[4, 5]] });
    expect(await ask("/v1/models/dense/labels/old:predict")).toEqual({ predictions: [[4, 5]] });
  });

  it("takes the signature by its name", async () => {
    const request = { signature_name: "serving_default", instances: [[1, 2, 3]] };
    expect(await serve.post("/v1/models/dense:predict", request)).toMatchObject({ status: 200 });
  });

  it("takes and gives bare NaN and Infinity", async () => {
    const { status, body } = await serve.post(
      "/v1/models/dense/versions/1:predict",
      '{"instances":[[NaN,1,1],[1,2,-Infinity]]}',
    );
    expect(status).toBe(200);
    expect(body).toBe('{"predictions":[[NaN,NaN],[-Infinity,-Infinity]]}');
  });
});

describe("tensorflow serving: refused predictions", () => {
  it.each([
    ["both forms", { instances: [[1, 2, 3]], inputs: [[1, 2, 3]] }, "not both"],
    ["neither form", { signature_name: "serving_default" }, "is missing"],
    ["another signature", { signature_name: "train", instances: [[1, 2, 3]] }, 'no signature "train"'],
    ["no instances", { instances: [] }, "at least one instance"],
    ["an empty tensor", { inputs: [] }, "has shape [0], must have [-1, 3]"],
    ["one value instead of a list", { instances: 3 }, "must be a list"],
    ["a wrong size", { instances: [[1, 2]] }, 'input "x" has shape [1, 2], must have [-1, 3]'],
    ["a sample without its batch", { inputs: [1, 2, 3] }, "has shape [3], must have [-1, 3]"],
    [
      "rows of different lengths",
      {
        instances: [
          [1, 2, 3],
          [1, 2],
        ],
      },
      "the same length",
    ],
    ["a wrong name", { instances: [{ y: [1, 2, 3] }] }, "instance 0 has y; it must have x"],
    ["a wrong name in column form", { inputs: { y: [[1, 2, 3]] } }, 'no input "y"; the model takes x FP32 [-1, 3]'],
    ["values and objects mixed", { instances: [[1, 2, 3], { x: [1, 2, 3] }] }, "all objects or all values"],
    ["text", { instances: [["a", "b", "c"]] }, 'value 0 is "a", must be a number'],
    ["the word NaN in quotes", { instances: [["NaN", 1, 2]] }, 'value 0 is "NaN"'],
    ["no object", [[1, 2, 3]], "must be a JSON object"],
    ["no JSON", "{instances", "the body is not JSON"],
  ])("refuses %s", async (_, request, message) => {
    expect(await serve.post("/v1/models/dense:predict", request)).toMatchObject({
      status: 400,
      body: { error: expect.stringContaining(message) },
    });
  });

  it.each([
    ["values where there are several inputs", { instances: [[1, 2]] }, "every instance must be an object with a, b"],
    ["one tensor where there are several inputs", { inputs: [[1, 2]] }, '"inputs" must be an object with a, b'],
    ["an instance without an input", { instances: [{ a: [1, 2] }] }, "instance 0 has a; it must have a, b"],
    ["a missing tensor", { inputs: { a: [[1, 2]] } }, 'input "b" is missing'],
  ])("refuses %s", async (_, request, message) => {
    expect(await serve.post("/v1/models/two:predict", request)).toMatchObject({
      status: 400,
      body: { error: expect.stringContaining(message) },
    });
  });

  it.each([
    ["/v1/models/half:predict", "Servable not found for request: Latest(half)"],
    ["/v1/models/dense/versions/9:predict", "Servable not found for request: Specific(dense, 9)"],
    ["/v1/models/dense/labels/none:predict", 'dense has no alias "none"; it has old'],
  ])("answers 404 to %s", async (path, message) => {
    expect(await serve.post(path, { instances: [[1, 2, 3]] })).toMatchObject({
      status: 404,
      body: { error: expect.stringContaining(message) },
    });
  });

  it.each(["classify", "regress"])("says that %s isn't there", async (verb) => {
    expect(await serve.post(`/v1/models/dense:${verb}`, {})).toMatchObject({
      status: 501,
      body: { error: expect.stringContaining("use :predict") },
    });
  });
});

describe("tensorflow serving: status and metadata", () => {
  it("shows the state of the versions that were asked for", async () => {
    await serve.post("/v1/models/dense/versions/1:predict", { instances: [[1, 2, 3]] });
    const available = { version: "1", state: "AVAILABLE", status: { error_code: "OK", error_message: "" } };
    expect((await serve.get("/v1/models/dense/versions/1")).body).toEqual({ model_version_status: [available] });
    expect((await serve.get("/v1/models/dense/labels/old")).body).toEqual({ model_version_status: [available] });
    await serve.post("/v1/models/dense:predict", { instances: [[1, 2, 3]] });
    expect((await serve.get("/v1/models/dense")).body).toEqual({
      model_version_status: expect.arrayContaining([available, { ...available, version: "2" }]),
    });
  });

  it("shows why a version could not be loaded", async () => {
    const draft = denseModel();
    const [file] = draft.files;
    const files = file ? [{ ...file, bytes: new TextEncoder().encode("no model") }] : [];
    await serve.publish({ ...draft, files }, "broken");
    expect(await serve.post("/v1/models/broken:predict", { instances: [[1]] })).toMatchObject({ status: 500 });
    expect((await serve.get("/v1/models/broken")).body).toMatchObject({
      model_version_status: [
        {
          version: "1",
          state: "END",
          status: { error_code: "UNKNOWN", error_message: expect.stringContaining("ONNX") },
        },
      ],
    });
  });

  it("answers 404 for a model that isn't there", async () => {
    expect(await serve.get("/v1/models/half")).toMatchObject({
      status: 404,
      body: { error: expect.stringContaining("Latest(half)") },
    });
  });

  it("describes the signature", async () => {
    expect((await serve.get("/v1/models/dense/versions/1/metadata")).body).toEqual({
      model_spec: { name: "dense", signature_name: "", version: "1" },
      metadata: {
        signature_def: {
          signature_def: {
            serving_default: {
              inputs: {
                x: {
                  dtype: "DT_FLOAT",
                  tensor_shape: { dim: [dim("-1"), dim("3")], unknown_rank: false },
                  name: "x",
                },
              },
              outputs: {
                logits: {
                  dtype: "DT_FLOAT",
                  tensor_shape: { dim: [dim("-1"), dim("2")], unknown_rank: false },
                  name: "logits",
                },
              },
              method_name: "tensorflow/serving/predict",
            },
          },
        },
      },
    });
  });
});
