import type { Datatype } from "@whittle/contracts";
import { describe, expect, it } from "vitest";
import { fromBytes, fromJsonValues } from "./elements.ts";
import { parseLenientJson } from "./lenient-json.ts";
import { readNested, writeFlat, writeNested } from "./nested.ts";

describe("elements", () => {
  it.each<[Datatype, unknown[], ArrayLike<number | bigint>]>([
    ["BOOL", [true, false, 1, 0], Uint8Array.of(1, 0, 1, 0)],
    ["UINT8", [0, 255], Uint8Array.of(0, 255)],
    ["INT8", [-128, 127], Int8Array.of(-128, 127)],
    ["INT32", [-2147483648, 2147483647], Int32Array.of(-2147483648, 2147483647)],
    ["INT64", [-9007199254740991, 7], BigInt64Array.of(-9007199254740991n, 7n)],
    ["FP32", [0.5, -3e38], Float32Array.of(0.5, -3e38)],
    ["FP64", [1e300], Float64Array.of(1e300)],
  ])("of %s are read from JSON", (datatype, values, expected) => {
    expect(fromJsonValues(datatype, values, "x")).toEqual(expected);
  });

  it.each<[Datatype, unknown, string]>([
    ["BOOL", 2, "true or false"],
    ["UINT8", 256, "an integer from 0 to 255"],
    ["UINT8", -1, "an integer"],
    ["INT8", 1.5, "an integer"],
    ["INT32", 2147483648, "an integer"],
    ["INT64", 2 ** 60, "an integer"],
    ["FP32", 1e39, "a number that FP32 can hold"],
    ["FP32", true, "a number"],
    ["FP64", "1", "a number"],
    ["FP64", null, "a number"],
  ])("of %s can't be %j", (datatype, value, expected) => {
    expect(() => fromJsonValues(datatype, [0, value], "x")).toThrow(
      `x: value 1 is ${JSON.stringify(value)}, must be ${expected}`,
    );
  });

  it.each<Datatype>(["FP32", "FP64"])("of %s are infinite or not a number only where that is allowed", (datatype) => {
    const values = [Infinity, Number.NaN];
    expect([...fromJsonValues(datatype, values, "x", { nonFinite: true })]).toEqual(values);
    for (const value of values)
      expect(() => fromJsonValues(datatype, [0, value], "x")).toThrow(
        `x: value 1 is ${value}, must be a number that ${datatype} can hold`,
      );
  });

  it.each<[Datatype, ArrayBufferView]>([
    ["UINT8", Uint8Array.of(1, 255)],
    ["INT64", BigInt64Array.of(-5n, 2n ** 60n)],
    ["FP32", Float32Array.of(1.5, Number.NaN)],
    ["FP64", Float64Array.of(Math.PI)],
  ])("of %s are read from bytes wherever they begin", (datatype, values) => {
    const shifted = new Uint8Array(values.byteLength + 1);
    shifted.set(new Uint8Array(values.buffer), 1);
    expect(fromBytes(datatype, shifted.subarray(1))).toEqual(values);
  });
});

describe("nested arrays", () => {
  it("are read in row-major order", () => {
    expect(readNested([[[1, 2]], [[3, 4]], [[5, 6]]], "x")).toEqual({ shape: [3, 1, 2], values: [1, 2, 3, 4, 5, 6] });
    expect(readNested(7, "x")).toEqual({ shape: [], values: [7] });
    expect(readNested([], "x")).toEqual({ shape: [0], values: [] });
  });

  it.each([[[[1], [2, 3]]], [[[1], 2]], [[1, [2]]], [[[1, 2], [3]]]])("must not be ragged: %j", (value) => {
    expect(() => readNested(value, "x")).toThrow("x: rows of one level must all have the same length");
  });

  it("must not be nested without end", () => {
    const deep: unknown = JSON.parse(`${"[".repeat(5000)}${"]".repeat(5000)}`);
    expect(() => readNested(deep, "x")).toThrow("deeper than 16 levels");
  });

  it("are written in the tensor's shape", () => {
    const data = Int32Array.of(1, 2, 3, 4, 5, 6);
    expect(writeNested({ datatype: "INT32", shape: [3, 1, 2], data })).toBe("[[[1,2]],[[3,4]],[[5,6]]]");
    expect(writeNested({ datatype: "INT32", shape: [], data: data.subarray(0, 1) })).toBe("1");
    expect(writeNested({ datatype: "FP32", shape: [0, 2], data: new Float32Array() })).toBe("[]");
    expect(writeFlat({ datatype: "BOOL", data: Uint8Array.of(1, 0) })).toBe("true,false");
    expect(writeFlat({ datatype: "INT64", data: BigInt64Array.of(2n ** 60n) })).toBe("1152921504606846976");
  });
});

describe("lenient JSON", () => {
  it("takes bare NaN and infinities, and leaves text alone", () => {
    const text = '{"a": [NaN, -Infinity, Infinity, 1], "NaN": "Infinity \\" NaN"}';
    expect(parseLenientJson(text)).toEqual({
      a: [Number.NaN, -Infinity, Infinity, 1],
      NaN: 'Infinity " NaN',
    });
  });

  it.each(["{NaN: 1}", "[NaN 1]", "[nan]", "[+Infinity]", "NaNs", ""])("refuses %j", (text) => {
    expect(() => parseLenientJson(text)).toThrow(SyntaxError);
  });
});
