import { describe, expect, it } from "vitest";
import { encodeModel } from "../proto/model.ts";
import { valueInfo } from "../proto/node.ts";
import { DataType } from "../proto/tensor.ts";
import { createSession } from "../runtime/session.ts";
import { noise } from "../test-models.ts";
import { toFloat16 } from "./float16.ts";
import { GraphEditor } from "./graph-editor.ts";
import { emitUnpack, packIntegers, unpackIntegers } from "./packed.ts";
import oracle from "./fixtures/methods.json" with { type: "json" };

/** Values that use every level of `bits` bits. */
function integers(bits: number, count: number): Int8Array {
  const half = 2 ** (bits - 1);
  return Int8Array.from(noise(count, bits), (value) => Math.max(-half, Math.floor((value + 0.5) * 2 * half) - half));
}

/** What ONNX Runtime unpacks. */
async function unpackedByGraph(values: Int8Array, bits: number, dims: number[]): Promise<number[]> {
  const editor = new GraphEditor();
  const unpacked = emitUnpack(editor, "w", dims, packIntegers(values, bits));
  editor.emit("Add", ["x", unpacked], "y");
  const [input, output] = ["x", "y"].map((name) => valueInfo(name, DataType.FLOAT, dims));
  const graph = { name: "g", node: [], initializer: [], input: [input!], output: [output!], valueInfo: [] };
  const model = editor.build({ irVersion: 10, opsetImport: [{ domain: "", version: 21 }], graph });
  const session = await createSession(encodeModel(model));
  const x = { shape: dims, datatype: "FP32", data: new Float32Array(values.length) } as const;
  const { y } = await session.run({ x });
  await session.release();
  return Array.from(y?.data ?? [], Number);
}

describe("packed integers", () => {
  it("are the bit planes worked by hand", () => {
    // Two's complement of 3 bits: 1 = 001, -2 = 110, 3 = 011; the first value in the lowest bit of each plane.
    const { planes, planeValues } = packIntegers(Int8Array.of(1, -2, 3), 3);
    expect([...planes]).toEqual([0b101, 0b110, 0b010]);
    expect(planeValues).toEqual([1, 2, -4]);
  });

  it("take one bit for signs, and two where there are zeros among them", () => {
    const signs = packIntegers(Int8Array.of(1, -1, 1), 1);
    expect([signs.bits, ...signs.planes]).toEqual([1, 0b101]);
    const ternary = packIntegers(Int8Array.of(1, 0, -1), 1);
    expect(ternary.bits).toBe(2);
    expect([...unpackIntegers(ternary)]).toEqual([1, 0, -1]);
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    "of %d bits take that many bits each and come back, in a graph too",
    async (bits) => {
      const values = integers(bits, 30);
      const packed = packIntegers(values, bits);
      expect(packed.planes.byteLength).toBe(packed.bits * 4);
      expect(unpackIntegers(packed)).toEqual(values);
      expect(await unpackedByGraph(values, bits, [5, 6])).toEqual([...values]);
    },
  );
});

describe("float16", () => {
  it("has NumPy's bits, halves to even, down to the smallest subnormal", () => {
    const { values, bits } = oracle.float16;
    expect([...toFloat16(Float32Array.from(values), "w")]).toEqual(bits);
  });

  it.each([65_520, -1e9, Number.NaN, Infinity])("is refused for %d", (value) => {
    expect(() => toFloat16(Float32Array.of(1, value), "dense/kernel")).toThrow(/dense\/kernel holds/);
  });
});
