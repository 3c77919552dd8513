import { AppError, parse } from "@whittle/contracts";
import { z } from "zod";

const options = z.strictObject({ endpoint: z.url({ protocol: /^https?$/ }).optional(), region: z.string().optional() });

export interface S3Address extends z.output<typeof options> {
  bucket: string;
  /** Empty, or ends in `/`. */
  prefix: string;
}

/**
 * Reads `s3://bucket/prefix?endpoint=https://host&region=eu-central-1`; everything after the bucket may be left out.
 * @throws AppError `invalid_request`, saying what is wrong.
 */
export function parseS3Address(url: string): S3Address {
  if (!URL.canParse(url) || new URL(url).hostname === "")
    throw new AppError("invalid_request", `the store's address "${url}" must be s3://bucket/prefix`);
  const { hostname, pathname, searchParams, username } = new URL(url);
  if (username)
    throw new AppError(
      "invalid_request",
      "keys don't belong in the store's address: use AWS_ACCESS_KEY_ID and the like",
    );
  const prefix = decodeURIComponent(pathname).replace(/^\/+|\/+$/g, "");
  const given = parse(options, Object.fromEntries(searchParams), "The store's address");
  return { bucket: hostname, prefix: prefix && `${prefix}/`, ...given };
}
