import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { AppError } from "@whittle/contracts";
import { checkDestination, lookupListed } from "./destination.ts";
import { signedHeaders, type Message } from "./signature.ts";

const limitMs = 15_000;

/**
 * Sends a signed message. Redirections are not followed.
 * @returns the answer's status. @throws AppError `invalid_request` for a host that is not listed, or stands for a private address that is not; whatever the connection fails with.
 */
export async function post(url: string, message: Message, secret: string, hosts: string[]): Promise<number> {
  checkDestination(url, hosts);
  const headers = { "content-type": "application/json", "user-agent": "whittle", ...signedHeaders(message, secret) };
  const send = url.startsWith("https:") ? httpsRequest : httpRequest;
  const signal = AbortSignal.timeout(limitMs);
  const request = send(url, { method: "POST", headers, lookup: lookupListed(hosts), signal, agent: false });
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    request.once("response", resolve);
    request.on("error", reject);
  });
  request.end(message.body);
  const response = await answered;
  response.resume();
  await once(response, "end");
  if (response.statusCode === undefined) throw new AppError("unavailable", "the answer had no status");
  return response.statusCode;
}
