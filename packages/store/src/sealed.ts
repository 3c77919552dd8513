import { createHash } from "node:crypto";

const digestBytes = 32;

/** Content with its SHA-256 before it, for what isn't found by its digest. */
export function seal(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([sha256(bytes), bytes]);
}

/** The content of what {@link seal} made, in memory of its own; undefined when it isn't what was sealed. */
export function unseal(sealed: Uint8Array): Uint8Array | undefined {
  const bytes = new Uint8Array(sealed.subarray(digestBytes));
  return sha256(bytes).equals(sealed.subarray(0, digestBytes)) ? bytes : undefined;
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}
