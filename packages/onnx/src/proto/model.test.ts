import { AppError } from "@whittle/contracts";
import { describe, expect, it } from "vitest";
import { decodeModel, encodeModel, type OnnxModel } from "./model.ts";
import { node, shapeOf, valueInfo } from "./node.ts";
import { DataType, floatData, tensor, tensorData } from "./tensor.ts";

const model: OnnxModel = {
  irVersion: 10,
  producerName: "test",
  opsetImport: [{ domain: "", version: 21 }],
  graph: {
    name: "g",
    node: [node("Softmax", ["x"], ["y"], { axis: -1, alpha: { float: 0.25 }, pads: [0, -2, 3] })],
    initializer: [tensor("w", [2, 2], Float32Array.of(1, -2, 0.5, 4))],
    input: [valueInfo("x", DataType.FLOAT, [-1, 4])],
    output: [],
    valueInfo: [],
  },
};

describe("an ONNX model", () => {
  it("comes back from its bytes as it was", () => {
    const back = decodeModel(encodeModel(model));
    expect(back.irVersion).toBe(10);
    expect(back.opsetImport).toEqual([{ domain: "", version: 21 }]);
    expect(back.graph.node[0]?.attribute.map(({ i, f, ints }) => i ?? f ?? ints)).toEqual([-1, 0.25, [0, -2, 3]]);
    expect(back.graph.initializer.map(floatData)).toEqual([Float32Array.of(1, -2, 0.5, 4)]);
    expect(back.graph.input.map(shapeOf)).toEqual([[-1, 4]]);
  });

  it("has the bytes that the ONNX schema gives it", () => {
    const empty = { irVersion: 10, opsetImport: [{ version: 21 }], graph: { ...model.graph, name: "g" } };
    const graph = { name: "g", node: [], initializer: [], input: [], output: [], valueInfo: [] };
    // ir_version (1): 10; graph (7): name (2) "g"; opset_import (8): version (2) 21.
    expect(Buffer.from(encodeModel({ ...empty, graph })).toString("hex")).toBe("080a3a0312016742021015");
  });

  it.each([
    ["text", "not a model"],
    ["nothing", ""],
  ])("is refused as corrupt when it is %s", (_what, text) => {
    const read = () => decodeModel(new TextEncoder().encode(text));
    expect(read).toThrow(AppError);
    expect(read).toThrow(expect.objectContaining({ code: "corrupt" }));
  });
});

describe("a tensor's elements", () => {
  it("are read from the typed fields that other writers use", () => {
    const base = { name: "t", dims: [2] };
    expect(tensorData({ ...base, dataType: DataType.FLOAT, floatData: [1.5, 2] })).toEqual(Float32Array.of(1.5, 2));
    expect(tensorData({ ...base, dataType: DataType.INT8, int32Data: [-3, 4] })).toEqual(Int8Array.of(-3, 4));
    expect(tensorData({ ...base, dataType: DataType.FLOAT16, int32Data: [0x3c00, 0] })).toEqual(
      Uint16Array.of(15360, 0),
    );
    expect(tensorData({ ...base, dataType: DataType.INT64, int64Data: [-1, 9] })).toEqual(BigInt64Array.of(-1n, 9n));
  });

  it("are refused when their type is not known", () => {
    expect(() => tensorData({ name: "brain", dims: [], dataType: 16 })).toThrow(/brain has element type 16/);
  });
});
