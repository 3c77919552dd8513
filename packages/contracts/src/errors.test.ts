import { describe, expect, it } from "vitest";
import { AppError, toAppError } from "./errors.ts";

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
