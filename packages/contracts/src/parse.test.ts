import { describe, expect, it } from "vitest";
import { z } from "zod";
import { AppError } from "./errors.ts";
import { parse } from "./parse.ts";
import { modelReference } from "./references.ts";

function attempt(action: () => unknown): AppError {
  try {
    action();
  } catch (error) {
    if (error instanceof AppError) return error;
  }
  throw new Error("expected an AppError");
}

describe("parse", () => {
  const schema = z.strictObject({
    epochs: z.int().min(1).max(9).optional(),
    clip: z.strictObject({ value: z.number() }).optional(),
    kind: z.enum(["a", "b", "c"]).optional(),
    size: z.literal([16, 32]).optional(),
    names: z.array(z.string()).min(2).optional(),
    model: modelReference,
  });
  const forms = "name, name@version, name@alias, sha256:<digest> or, in a pipeline, $step";

  it("returns the parsed value", () => {
    expect(parse(schema, { epochs: 2, model: "a@1" }, "job")).toEqual({ epochs: 2, model: "a@1" });
  });

  it.each([
    [{ epochs: 0 }, "epochs", "must be at least 1, not 0"],
    [{ epochs: 10 }, "epochs", "must be at most 9, not 10"],
    [{ epochs: 1.5 }, "epochs", "must be a whole number, not 1.5"],
    [{ epochs: "2" }, "epochs", 'must be a number, not "2"'],
    [{ epochs: Number("two") }, "epochs", "must be a number"],
    [{ clip: {} }, "clip.value", "is missing; it must be a number"],
    [{ clip: [] }, "clip", "must be an object, not a list"],
    [{ kind: "d" }, "kind", 'must be "a", "b" or "c", not "d"'],
    [{ size: 33 }, "size", "must be 16 or 32, not 33"],
    [{ names: ["a"] }, "names", "must be at least 2 items, not 1"],
    [{ model: undefined }, "model", `is missing; it must be ${forms}`],
    [{ model: "A b" }, "model", `must be ${forms}, not "A b"`],
    [{ epoch: 2 }, "epoch", "is not known; known are epochs, clip, kind, size, names, model"],
    [{ clip: { value: 1, norm: 1 } }, "clip.norm", "is not known; known are value"],
  ])("says of %j where it is wrong, what was given and what would be right", (given, path, message) => {
    const error = attempt(() => parse(schema, { model: "a@1", ...given }, "params of train", "params"));
    expect(error).toMatchObject({ code: "invalid_request", status: 400 });
    expect(error.issues).toEqual([{ path: `params.${path}`, message }]);
    expect(error.message).toContain(`params.${path}`);
  });

  it("names every wrong and every unknown field", () => {
    const error = attempt(() => parse(schema, { model: "a", epochs: 0, x: 1, y: 2 }, "job"));
    expect(error.issues.map(({ path }) => path)).toEqual(["epochs", "x", "y"]);
  });
});
