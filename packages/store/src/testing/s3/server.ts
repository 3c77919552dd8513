import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { buffer } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { S3Bucket, type S3Object } from "./bucket.ts";
import { S3Failure, type S3Fault } from "./failure.ts";

export type S3Operation =
  | "GetObject"
  | "HeadObject"
  | "PutObject"
  | "DeleteObject"
  | "ListObjectsV2"
  | "CreateMultipartUpload"
  | "UploadPart"
  | "CompleteMultipartUpload"
  | "AbortMultipartUpload";

export interface S3ServerOptions {
  /** Is shown each request, and says what goes wrong with it. */
  fault?: (operation: S3Operation, key: string) => S3Fault | undefined;
  /** Keys in a page of a listing. */
  pageSize?: number;
  /** Operations that overwrite in spite of `If-None-Match: *`, as some servers do. */
  ignoresCondition?: S3Operation[];
  /** Address to listen on; a loopback one by default. */
  host?: string;
  /** 0: any that is free. */
  port?: number;
}

/**
 * A server of S3's protocol for one bucket in memory, as far as the store uses it: objects, parts, listings in pages, conditional
 * writes, SHA-256 checksums. Requests' signatures are not looked at. `options` may be changed while it runs.
 */
export async function startS3Server(options: S3ServerOptions = {}) {
  const bucket = new S3Bucket();
  const server = createServer((request, response) => {
    handle(bucket, options, request, response).catch(() => response.destroy());
  });
  const host = options.host ?? "127.0.0.1";
  server.listen(options.port ?? 0, host);
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  return {
    bucket,
    options,
    /** Address of a store in the bucket, for `openStore`. */
    url: (prefix = "store") => `s3://bucket/${prefix}?endpoint=http://${host}:${port}`,
    async close(): Promise<void> {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

interface Call {
  operation: S3Operation;
  key: string;
  query: URLSearchParams;
  headers: IncomingMessage["headers"];
  body: Buffer;
  fresh: boolean;
}

interface Answer {
  status: number;
  headers?: Record<string, string>;
  body?: Buffer;
}

async function handle(
  bucket: S3Bucket,
  options: S3ServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? "/", "http://s3");
  const [, name, ...rest] = url.pathname.split("/").map(decodeURIComponent);
  const key = rest.join("/");
  const operation = operationOf(request.method ?? "", key, url.searchParams);
  const { headers } = request;
  const fresh = headers["if-none-match"] === "*" && !options.ignoresCondition?.includes(operation);
  const call = { operation, key, query: url.searchParams, headers, body: await buffer(request), fresh };
  const fault = options.fault?.(operation, key);
  const answer = answerTo(name, fault, () => actions[operation](bucket, call, options));
  if (fault?.kind === "slow") await delay(fault.ms);
  if (fault?.kind === "lost") return void response.destroy();
  send(response, request.method === "HEAD", answer, fault);
}

function operationOf(method: string, key: string, query: URLSearchParams): S3Operation {
  const inParts = query.has("uploadId");
  if (method === "GET") return key === "" ? "ListObjectsV2" : "GetObject";
  if (method === "HEAD") return "HeadObject";
  if (method === "DELETE") return inParts ? "AbortMultipartUpload" : "DeleteObject";
  if (method === "POST") return inParts ? "CompleteMultipartUpload" : "CreateMultipartUpload";
  return inParts ? "UploadPart" : "PutObject";
}

function answerTo(name: string | undefined, fault: S3Fault | undefined, act: () => Answer): Answer {
  try {
    if (name !== "bucket") throw new S3Failure(404, "NoSuchBucket");
    if (fault?.kind === "refused") throw new S3Failure(fault.status, fault.code);
    return act();
  } catch (error) {
    if (!(error instanceof S3Failure)) throw error;
    return {
      status: error.status,
      ...xml(`<Error><Code>${error.code}</Code><Message>${error.code}</Message></Error>`),
    };
  }
}

const actions: Record<S3Operation, (bucket: S3Bucket, call: Call, options: S3ServerOptions) => Answer> = {
  GetObject: (bucket, { key }) => ({ status: 200, ...whole(bucket.get(key)) }),
  HeadObject: (bucket, { key }) => ({ status: 200, ...whole(bucket.get(key)) }),
  PutObject: (bucket, { key, body, headers, fresh }) => {
    bucket.put(key, body, claimed(headers), fresh, metadataOf(headers));
    return { status: 200, headers: { etag: `"${bucket.get(key).etag}"` } };
  },
  DeleteObject: (bucket, { key }) => {
    bucket.objects.delete(key);
    return { status: 204 };
  },
  ListObjectsV2: (bucket, { query }, { pageSize = 1000 }) => {
    const { page, next } = bucket.list(query.get("prefix") ?? "", query.get("continuation-token") ?? "", pageSize);
    const contents = page.map(
      ([key, { bytes, modified }]) =>
        `<Contents><Key>${escape(key)}</Key><Size>${bytes.byteLength}</Size><LastModified>${modified.toISOString()}</LastModified></Contents>`,
    );
    const more = next === undefined ? "" : `<NextContinuationToken>${escape(next)}</NextContinuationToken>`;
    const truncated = `<IsTruncated>${next !== undefined}</IsTruncated>`;
    return { status: 200, ...xml(`<ListBucketResult>${truncated}${more}${contents.join("")}</ListBucketResult>`) };
  },
  CreateMultipartUpload: (bucket, { key, headers }) => {
    const id = bucket.begin(key, metadataOf(headers));
    const upload = `<UploadId>${id}</UploadId>`;
    return { status: 200, ...xml(`<InitiateMultipartUploadResult>${upload}</InitiateMultipartUploadResult>`) };
  },
  UploadPart: (bucket, { query, body, headers }) => {
    const etag = bucket.putPart(uploadOf(query), Number(query.get("partNumber")), body, claimed(headers));
    return { status: 200, headers: { etag: `"${etag}"` } };
  },
  CompleteMultipartUpload: (bucket, { query, body, fresh }) => {
    const parts = [...body.toString().matchAll(/<Part>(.*?)<\/Part>/gs)].map(([, part = ""]) => ({
      number: Number(/<PartNumber>(\d+)</.exec(part)?.[1]),
      etag: /<ETag>(?:"|&quot;)?([\w-]+)/.exec(part)?.[1] ?? "",
    }));
    bucket.complete(uploadOf(query), parts, fresh);
    return { status: 200, ...xml("<CompleteMultipartUploadResult></CompleteMultipartUploadResult>") };
  },
  AbortMultipartUpload: (bucket, { query }) => {
    bucket.abort(uploadOf(query));
    return { status: 204 };
  },
};

function uploadOf(query: URLSearchParams): string {
  return query.get("uploadId") ?? "";
}

function claimed(headers: IncomingMessage["headers"]): string | undefined {
  return headers["x-amz-checksum-sha256"]?.toString();
}

const metadataHeader = "x-amz-meta-";

function metadataOf(headers: IncomingMessage["headers"]): Record<string, string> {
  const own = Object.entries(headers).filter(([name]) => name.startsWith(metadataHeader));
  return Object.fromEntries(own.map(([name, value]) => [name.slice(metadataHeader.length), String(value)]));
}

function whole({ bytes, etag, checksum, metadata, modified }: S3Object): Omit<Answer, "status"> {
  const own = Object.entries(metadata).map(([name, value]) => [metadataHeader + name, value]);
  return {
    headers: {
      etag: `"${etag}"`,
      "last-modified": modified.toUTCString(),
      "x-amz-checksum-sha256": checksum,
      "x-amz-checksum-type": checksum.includes("-") ? "COMPOSITE" : "FULL_OBJECT",
      ...Object.fromEntries(own),
    },
    body: bytes,
  };
}

function xml(content: string): Omit<Answer, "status"> {
  return { headers: { "content-type": "application/xml" }, body: Buffer.from(`<?xml version="1.0"?>${content}`) };
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

function send(response: ServerResponse, head: boolean, { status, headers, body }: Answer, fault?: S3Fault): void {
  const length = body?.byteLength ?? 0;
  response.writeHead(status, { ...headers, ...(status !== 204 && { "content-length": String(length) }) });
  if (head || body === undefined) return void response.end();
  const sent = Buffer.from(body);
  if (fault?.kind === "damaged" && length > 0) sent[0] = (sent[0] ?? 0) ^ 1;
  if (fault?.kind === "truncated") response.write(sent.subarray(0, length / 2), () => response.destroy());
  else response.end(sent);
}
