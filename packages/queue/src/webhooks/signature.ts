import { createHmac } from "node:crypto";

export interface Message {
  id: string;
  /** Seconds since 1970. */
  timestamp: number;
  body: string;
}

/**
 * The headers of a message by Standard Webhooks 1.0.0: HMAC-SHA256 of `<id>.<timestamp>.<body>`, in base 64.
 * @param secret `whsec_` and the key in base 64.
 */
export function signedHeaders({ id, timestamp, body }: Message, secret: string): Record<string, string> {
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const signature = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
  return { "webhook-id": id, "webhook-timestamp": String(timestamp), "webhook-signature": `v1,${signature}` };
}
