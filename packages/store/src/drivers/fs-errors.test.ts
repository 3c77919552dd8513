import { AppError } from "@whittle/contracts";
import { describe, expect, it } from "vitest";
import { asAppError } from "./fs-errors.ts";

/** What the file system throws. */
function failure(code: string): Error {
  return Object.assign(new Error(`${code}: it failed, open '/data/store/tmp/x'`), { code });
}

describe("a failure of the store's folder", () => {
  it.each([
    ["ENOSPC", /its volume is full: free space there, or .*whittle store gc --delete/],
    ["EDQUOT", /quota .* used up/],
    ["EROFS", /its volume is read-only: mount it for writing, or name another folder in WHITTLE_STORE/],
    ["EACCES", new RegExp(`user ${process.getuid?.()}\\) may not .*: chown -R ${process.getuid?.()} /data/store, or`)],
    ["ENOTDIR", /a part of that path is a file: name another folder in WHITTLE_STORE/],
    ["EIO", /^the store in \/data\/store failed: EIO: it failed/],
  ])("%s names the folder, what is wrong and what to do", (code, said) => {
    const error = asAppError(failure(code), "/data/store");
    expect(error).toMatchObject({ code: "unavailable", status: 503, retryable: true });
    expect(error.message).toMatch(/^the store in \/data\/store failed: /);
    expect(error.message).toMatch(said);
    expect(error.message).toContain(`${code}: it failed, open '/data/store/tmp/x'`);
  });

  it("is told apart from what is none", () => {
    const refused = new AppError("invalid_request", "no key");
    expect(asAppError(refused, "/data/store")).toBe(refused);
    expect(asAppError(new TypeError("a bug"), "/data/store")).toMatchObject({ code: "internal" });
  });
});
