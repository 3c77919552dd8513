import { S3ServiceException } from "@aws-sdk/client-s3";
import { AppError } from "@whittle/contracts";

/** HTTP status of an answer that the SDK threw; undefined when there was no answer. */
function statusOf(error: unknown): number | undefined {
  return error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : "";
}

/** There is no such key. A missing bucket is something else. */
export function isAbsent(error: unknown): boolean {
  return statusOf(error) === 404 && nameOf(error) !== "NoSuchBucket";
}

/** The key exists: `If-None-Match: *` was not met. */
export function isTaken(error: unknown): boolean {
  return statusOf(error) === 412;
}

/** Another conditional write of the key was going on, and nobody knows yet who wins. */
export function isContended(error: unknown): boolean {
  return statusOf(error) === 409;
}

/** A body that ended early. */
export class BrokenBody extends Error {}

const hopeless = new Set(["CredentialsProviderError", "TypeError"]);

/** Trying again can help: throttled, a server's failure, a lost or broken connection, a clock that the SDK has now corrected. */
export function isTransient(error: unknown): boolean {
  const status = statusOf(error);
  if (status === undefined) return error instanceof Error && !hopeless.has(error.name);
  if (nameOf(error) === "RequestTimeTooSkewed" || nameOf(error) === "RequestTimeout") return true;
  return status === 429 || (status >= 500 && status !== 501) || status < 300;
}

const advice: Record<string, string> = {
  NoSuchBucket: "there is no such bucket",
  AccessDenied: "these credentials may not do that",
  InvalidAccessKeyId: "the access key is unknown",
  SignatureDoesNotMatch: "the secret key is wrong",
  NotImplemented: "the server has no conditional writes (If-None-Match), without which two jobs could get one version",
  PermanentRedirect: "the bucket is in another region: name it with ?region=",
  CredentialsProviderError: "there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile",
};

/** The SDK's words for a body that isn't what the checksum kept with it says; it has no class of its own. */
function isMismatch(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("Checksum mismatch");
}

/** @param doing what was tried ("reading blobs/…"). */
export function asAppError(error: unknown, doing: string): AppError {
  if (error instanceof AppError) return error;
  const { name, message } = error instanceof Error ? error : { name: "", message: String(error) };
  if (isMismatch(error)) return new AppError("corrupt", `the store is damaged ${doing}: ${message}`, { cause: error });
  const hint = advice[name] ?? (statusOf(error) === 403 ? advice["AccessDenied"] : undefined);
  const reason = [name, message].filter((part) => part && part !== "Error").join(": ");
  return new AppError("unavailable", `the store failed ${doing}: ${hint ? `${hint} (${reason})` : reason}`, {
    cause: error,
  });
}
