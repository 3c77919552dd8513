import { describe, expect, it } from "vitest";
import { decodeModel, encodeModel } from "../proto/model.ts";
import { noise, smallCnn } from "../test-models.ts";
import { quantizeOnnx } from "./quantize.ts";
import { checkStructure } from "./structure.ts";

const calibration = { inputs: noise(32 * 128, 9), shape: [8, 8, 2] };

describe("the check of a rewritten model's structure", () => {
  const rewritten = async () => decodeModel((await quantizeOnnx(smallCnn(), { calibration, bits: 4 })).model);

  it("is content with what quantization makes", async () => {
    const model = await rewritten();
    expect(() => checkStructure(model)).not.toThrow();
    expect(encodeModel(model).byteLength).toBeGreaterThan(0);
  });

  it("notices a node before what it reads, a tensor written twice, a constant of another size, an old opset, integers in a Conv", async () => {
    const model = await rewritten();
    const { graph } = model;
    const [first] = graph.node;
    const isConv = ({ opType }: { opType: string }) => opType === "Conv";
    const broken = {
      "not written before it": { ...graph, node: graph.node.toReversed() },
      "written twice": { ...graph, node: [...graph.node, first!] },
      "shape and type say": {
        ...graph,
        initializer: graph.initializer.map((each) => ({ ...each, dims: [...each.dims, 2] })),
      },
      "reads integers": {
        ...graph,
        node: graph.node.map((each) => (isConv(each) ? { ...each, input: ["x/q", ...each.input.slice(1)] } : each)),
      },
    };
    for (const [message, changed] of Object.entries(broken)) {
      expect(() => checkStructure({ ...model, graph: changed })).toThrow(
        expect.objectContaining({ code: "internal", message: expect.stringContaining(message) }),
      );
    }
    const old = { ...model, opsetImport: [{ domain: "", version: 12 }] };
    expect(() => checkStructure(old)).toThrow(/needs opset 13/);
  });
});
