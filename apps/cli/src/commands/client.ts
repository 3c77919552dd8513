import { readFile } from "node:fs/promises";
import { AppError } from "@whittle/contracts";
import { WhittleClient } from "@whittle/sdk";
import { readConfig } from "../env.ts";

/** A client of the Whittle that the environment names: WHITTLE_URL, WHITTLE_SERVE_URL, WHITTLE_KEY, WHITTLE_SERVE_KEY. */
export function createClient(): WhittleClient {
  const { apiUrl, serveUrl, key, serveKey } = readConfig();
  return new WhittleClient({ url: apiUrl, serveUrl, key, serveKey });
}

/**
 * Reads JSON that is given itself or as `@file`.
 * @throws AppError `invalid_request` that names the option.
 */
export async function readJson(text: string, what: string): Promise<unknown> {
  const source = text.startsWith("@") ? await readText(text.slice(1), what) : text;
  try {
    return JSON.parse(source) as unknown;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AppError("invalid_request", `${what} is not JSON: ${reason}; give JSON or @file.json`, { cause });
  }
}

async function readText(path: string, what: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new AppError("invalid_request", `${what}: ${path} can't be read`, { cause });
  }
}
