import { createHash, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { AppError } from "./errors.ts";

/** What a key may do; each scope may do what those before it may. */
export const scopes = ["read", "submit", "admin"] as const;

/** `read`: look. `submit`: also submit, cancel and retry jobs, and move aliases. `admin`: also what is about everybody's jobs. */
export type Scope = (typeof scopes)[number];

export interface ApiKey {
  key: string;
  scope: Scope;
}

const minLength = 16;

/** `<key>`, which may do everything, or `<key>:<scope>`. */
const apiKey = z.string().transform((text, context): ApiKey => {
  const at = text.lastIndexOf(":");
  const [key, name] = at < 0 ? [text, "admin"] : [text.slice(0, at), text.slice(at + 1)];
  const scope = scopes.find((each) => each === name);
  if (key.length < minLength) context.addIssue(`a key must have at least ${minLength} characters`);
  if (!scope) context.addIssue("a key's scope, after the colon, must be one of read, submit, admin");
  return { key, scope: scope ?? "read" };
});

/** Keys as a list separated by commas. */
export const apiKeys = z
  .string()
  .default("")
  .transform((text) =>
    text
      .split(",")
      .map((part) => part.trim())
      .filter((part) => part !== ""),
  )
  .pipe(z.array(apiKey));

/** Whether a key of the scope `has` may do what needs the scope `needed`. */
export function allows(has: Scope, needed: Scope): boolean {
  return scopes.indexOf(has) >= scopes.indexOf(needed);
}

/** A key that was found: its scope, and its SHA-256 in hexadecimal, by which it can be named. */
export interface KnownKey {
  scope: Scope;
  digest: string;
}

/** Finds keys as they are sent; compares in constant time. */
export function createKeyring(keys: ApiKey[]): (sent: string | undefined) => KnownKey | undefined {
  const known = keys.map(({ key, scope }) => ({ scope, digest: sha256(key) }));
  return (sent) => {
    if (sent === undefined) return undefined;
    const digest = sha256(sent);
    const found = known.find((each) => timingSafeEqual(each.digest, digest));
    return found && { scope: found.scope, digest: found.digest.toString("hex") };
  };
}

/** The key in an `Authorization: Bearer` header. */
export function bearerKey(authorization = ""): string | undefined {
  return /^Bearer +(\S+)$/i.exec(authorization)?.[1];
}

/** The refusal of a key that may not do what needs another scope. */
export function outOfScope(has: Scope, needed: Scope): AppError {
  return new AppError("forbidden", `the key's scope is ${has}; this needs ${needed}`);
}

/** Whether a host, as in a URL or in a Host header without its port, is this machine by its loopback address. */
export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i.test(host);
}

/**
 * The refusal of a request to an app without keys that listens on loopback, where it asks for another host than this machine: a page of
 * another site can point its own host name to 127.0.0.1 (DNS rebinding), but then sends that name.
 * @param app the app as a message names it. @param variable where its keys are set.
 */
export function refuseForeignHost(host: string, app: string, variable: string): AppError | undefined {
  if (isLoopback(host)) return undefined;
  return new AppError("forbidden", `without ${variable} the ${app} answers to localhost, not to ${host}`);
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
