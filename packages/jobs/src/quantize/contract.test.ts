import { AppError, parse } from "@whittle/contracts";
import { expect, it } from "vitest";
import { definition } from "./contract.ts";

it.each([
  [{ bits: "8" }, "bits", 'must be a whole number from 1 to 8, or "auto", not "8"'],
  [{ blockSize: 33 }, "blockSize", "must be 16, 32, 64, 128 or 256, not 33"],
  [{ averageBits: 9 }, "averageBits", "must be at most 8, not 9"],
  [{ averageBits: "4" }, "averageBits", 'must be a number, not "4"'],
  [{ model: undefined }, "model", "is missing; it must be name, name@version"],
  [
    { method: "aware", training: { precision: "mixed_bfloat16" } },
    "training.precision",
    "must be float32: bfloat16 would",
  ],
  [{ bit: 4 }, "bit", "is not known; known are model, method, bits"],
])("says of %j what was given and what would be right", (given, path, message) => {
  const read = () => parse(definition.params, { model: "a", ...given }, "A quantize job", "params");
  const issue = { path: `params.${path}`, message: expect.stringContaining(message) };
  expect(read).toThrow(AppError);
  expect(read).toThrow(expect.objectContaining({ issues: [issue] }));
});
