import { expect, it } from "vitest";
import { inferredAttrs, opEntry } from "./op-table.ts";

const [float, int32] = [1, 3];

it("infers type attributes and list lengths from the inputs", () => {
  expect(inferredAttrs("ExpandDims", [float, int32])).toEqual({ T: float, Tdim: int32 });
  expect(inferredAttrs("ConcatV2", [float, float, float, int32])).toEqual({ N: 3, T: float, Tidx: int32 });
  expect(inferredAttrs("MaxPool3DGrad", [float, float, float])).toEqual({ T: float, TInput: float });
  expect(inferredAttrs("Conv2DBackpropInput", [int32, float, float])).toEqual({ T: float });
});

it("knows every op that tfjs-node calls for the kernels of tfjs, and refuses others by name", () => {
  expect(opEntry("Multinomial").stateful).toBe(true);
  expect(() => opEntry("NoSuchOp")).toThrow(/NoSuchOp.*generate-op-table/);
});
