import { describe, expect, it } from "vitest";
import { z } from "zod";
import { AppError, parse, toAppError } from "./errors.ts";

describe("parse", () => {
  const schema = z.strictObject({ epochs: z.int().min(1), clip: z.strictObject({ value: z.number() }).optional() });

  it("returns the parsed value", () => {
    expect(parse(schema, { epochs: 2 }, "job")).toEqual({ epochs: 2 });
  });

  it("names every wrong field under the given prefix", () => {
    const error = attempt(() => parse(schema, { epochs: 0, clip: { value: "1" } }, "params of train", "params"));
    expect(error.code).toBe("invalid_request");
    expect(error.status).toBe(400);
    expect(error.issues.map((issue) => issue.path)).toEqual(["params.epochs", "params.clip.value"]);
    expect(error.message).toContain("params.epochs");
  });

  it("names an unknown field at the object that has it", () => {
    const error = attempt(() => parse(schema, { epochs: 1, epoch: 2 }, "job"));
    expect(error.issues[0]?.message).toContain("epoch");
  });
});

describe("toAppError", () => {
  it("keeps an AppError", () => {
    const error = new AppError("conflict", "taken");
    expect(toAppError(error)).toBe(error);
  });

  it("restores one that crossed a process boundary as JSON", () => {
    const sent = new AppError("timeout", "too slow", { issues: [{ path: "params.epochs", message: "fewer" }] });
    const received = toAppError(JSON.parse(JSON.stringify(sent)));
    expect(received).toMatchObject({ code: "timeout", message: "too slow", issues: sent.issues, retryable: true });
  });

  it.each([[new TypeError("x is not a function")], ["text"], [undefined], [{ code: "ENOENT", message: "no file" }]])(
    "reports %s, which is a bug or foreign, as internal",
    (thrown) => {
      expect(toAppError(thrown).code).toBe("internal");
    },
  );
});

function attempt(action: () => unknown): AppError {
  try {
    action();
  } catch (error) {
    if (error instanceof AppError) return error;
  }
  throw new Error("expected an AppError");
}
