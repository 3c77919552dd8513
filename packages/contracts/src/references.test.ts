import { expect, it } from "vitest";
import { modelReference, parseModelReference } from "./references.ts";

const hex = "0".repeat(64);

it.each([
  ["teacher", { kind: "latest", name: "teacher" }],
  ["teacher@12", { kind: "version", name: "teacher", version: 12 }],
  ["teacher@prod", { kind: "alias", name: "teacher", alias: "prod" }],
  [`sha256:${hex}`, { kind: "digest", digest: `sha256:${hex}` }],
  ["$teacher", { kind: "step", step: "teacher" }],
])("reads %s", (text, expected) => {
  expect(parseModelReference(text)).toEqual(expected);
});

it.each(["", "Teacher", "a/b", "../a", "a@", "a@0", "a@-1", "a@1@2", "$", "$A", "sha256:12", "a b", ".hidden"])(
  "refuses %j",
  (text) => {
    expect(parseModelReference(text)).toBeUndefined();
    expect(modelReference.safeParse(text).success).toBe(false);
  },
);
