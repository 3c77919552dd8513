import { AppError } from "@whittle/contracts";

/** The body that the body parser has read; empty when there was none. */
export function bodyOf(request: { body?: unknown }): Uint8Array {
  return request.body instanceof Uint8Array ? request.body : new Uint8Array();
}

/** @throws AppError `invalid_request` when the bytes are not JSON. */
export function readJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const hint = /NaN|Infinity/.test(reason) ? "; send NaN and Infinity as binary tensor data" : "";
    throw new AppError("invalid_request", `the body is not JSON: ${reason}${hint}`, { cause: error });
  }
}
