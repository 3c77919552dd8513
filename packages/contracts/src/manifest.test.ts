import { expect, it } from "vitest";
import { canonicalJson } from "./manifest.ts";

it("writes the same bytes whatever the order in which keys were set", () => {
  expect(canonicalJson({ b: [{ d: 1, c: 2 }], a: null })).toBe('{"a":null,"b":[{"c":2,"d":1}]}');
  expect(canonicalJson({ a: null, b: [{ c: 2, d: 1 }] })).toBe(canonicalJson({ b: [{ d: 1, c: 2 }], a: null }));
});

it("keeps the order of lists and leaves out what is undefined", () => {
  expect(canonicalJson({ x: [3, 1, 2], y: undefined })).toBe('{"x":[3,1,2]}');
});
