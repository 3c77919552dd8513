import { AppError } from "@whittle/contracts";
import type { Request } from "express";

export const idempotencyHeader = {
  "Idempotency-Key": "Sending a request again with the same key answers with what the first one made, for a day.",
};

/** @throws AppError `invalid_request` when the header is empty or longer than 255 characters. */
export function idempotencyKey(request: Request): string | undefined {
  const key = request.get("idempotency-key");
  if (key === undefined || (key.length >= 1 && key.length <= 255)) return key;
  const issues = [{ path: "idempotency-key", message: "must have 1 to 255 characters" }];
  throw new AppError("invalid_request", "the header Idempotency-Key must have 1 to 255 characters", { issues });
}
