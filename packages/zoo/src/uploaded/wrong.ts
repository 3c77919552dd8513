import { AppError, type ErrorCode } from "@whittle/contracts";

/** What is wrong with an array of an upload (`x_train`), or with its archive (""), and what would be right. */
export function wrong(array: string, message: string, code: ErrorCode = "invalid_request"): AppError {
  return new AppError(code, `${array || "the file"} ${message}`, { issues: [{ path: array, message }] });
}
