import { expect, it } from "vitest";
import { presentVariables } from "./environment.ts";

it("an empty variable counts as absent, one of white space or 0 does not", () => {
  expect(presentVariables({ A: "", B: " ", C: "0", D: "d" })).toEqual({ B: " ", C: "0", D: "d" });
});
