import { Agent, request } from "node:http";
import { text } from "node:stream/consumers";
import { npzOf, smallArrays } from "@whittle/zoo/uploaded/testing";
import { z } from "zod";

const bodies = z.record(z.string(), z.looseObject({ example: z.unknown().optional() }));

type Content = z.infer<typeof bodies>;

/** The operations of the OpenAPI document, as far as requests are made from them. */
const operation = z.looseObject({
  parameters: z.array(z.object({ name: z.string(), in: z.enum(["path", "query", "header"]) }).loose()),
  requestBody: z.looseObject({ content: bodies }).optional(),
});

export const openApi = z.object({ paths: z.record(z.string(), z.record(z.string(), operation)) });

export interface FuzzRequest {
  method: string;
  /** As it is sent, percent-encoded or not. */
  path: string;
  headers: Record<string, string>;
  body?: Buffer;
}

/** Numbers from 0 to below 1 (mulberry32); the same for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const deep = z.array(z.unknown()).parse(JSON.parse(`${"[".repeat(500)}${"]".repeat(500)}`));
const polluting = z.looseObject({}).parse(JSON.parse('{"__proto__": {"admin": true}, "constructor": {}}'));

const values: (object | string | number | boolean | null)[] = [
  [null, true, "", " ", "x".repeat(5000), "\u0000", "\ud800", "🙂", "../../etc/passwd", "$step", "$missing", "a@b@c"],
  [0, -1, 0.5, 1e308, -1e308, Number.MAX_SAFE_INTEGER, "1", "NaN", "sha256:zz", "${7*7}", "'; --", "{x}"],
  [[], {}, [null], [[1]], deep, polluting, { constructor: 1 }],
].flat();

const texts = [
  ["", "%", "%00", "%ff", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "..", "a b", "🙂", "x".repeat(3000), "-1", "1e9", "null"],
  [
    "__proto__",
    "constructor",
    "toString",
    "*",
    "{x}",
    "a@b@c",
    "name@0",
    "sha256:00",
    "a:b",
    "%F0%9F%99%82",
    "[]",
    "0",
  ],
].flat();

const headerTexts = [
  "",
  "x".repeat(300),
  "x".repeat(7000),
  "é",
  '"',
  "0-0",
  "-1",
  "18446744073709551616-0",
  "application/xml",
];

/** Makes requests of a document's operations that are wrong in one or more places; some may still be right. */
export class Fuzzer {
  readonly #random: () => number;
  readonly #operations: { method: string; path: string; operation: z.infer<typeof operation> }[];

  constructor({ paths }: z.infer<typeof openApi>, seed: number) {
    this.#random = randomFrom(seed);
    this.#operations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, each]) => ({ method: method.toUpperCase(), path, operation: each })),
    );
  }

  next(): FuzzRequest {
    const { method, path, operation: target } = this.#pick(this.#operations);
    const query = target.parameters.filter((each) => each.in === "query" && this.#chance(0.5));
    const names = target.parameters.filter((each) => each.in === "header" && this.#chance(0.3));
    const search = query.map(({ name }) => `${name}=${encode(this.#pick(texts))}`);
    if (this.#chance(0.05)) search.push("unknown=1");
    return {
      method: this.#chance(0.03) ? this.#pick(["PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"]) : method,
      path: `${this.#fill(path)}${search.length > 0 ? "?" : ""}${search.join("&")}`,
      ...this.#body(
        target.requestBody?.content ?? {},
        Object.fromEntries(names.map(({ name }) => [name, latin(this.#pick(headerTexts))])),
      ),
    };
  }

  #body(content: Content, headers: Record<string, string>): Pick<FuzzRequest, "headers" | "body"> {
    const json = content["application/json"];
    const type = json ? "application/json" : this.#pick(["application/octet-stream", ...Object.keys(content)]);
    const body = json || Object.keys(content).length === 0 ? this.#json(json?.example) : this.#file();
    return { ...(body && { body }), headers: { ...(body && { "content-type": type }), ...headers } };
  }

  /** Bytes that are wrong in one place, or right. */
  #file(): Buffer {
    const file = Buffer.from(npzOf(smallArrays));
    return this.#chance(0.8) ? this.#damage(file) : file;
  }

  #json(example: unknown): Buffer | undefined {
    if (example === undefined) return this.#chance(0.1) ? Buffer.from("{}") : undefined;
    let value: unknown = structuredClone(example);
    for (let times = 0; times <= this.#random() * 3; times++) value = this.#mutate(value);
    const body = Buffer.from(JSON.stringify(value) ?? "");
    return this.#chance(0.2) ? this.#damage(body) : body;
  }

  /** Replaces, removes or adds one thing somewhere in a JSON value. */
  #mutate(value: unknown): unknown {
    const isLeaf = typeof value !== "object" || value === null;
    if (isLeaf || this.#chance(0.15)) return this.#pick(values);
    if (Array.isArray(value)) {
      const at = Math.floor(this.#random() * value.length);
      return value.map((each: unknown, index) => (index === at ? this.#mutate(each) : each));
    }
    const entries = Object.entries(value);
    if (entries.length === 0 || this.#chance(0.2)) return { ...value, [this.#pick(texts)]: this.#pick(values) };
    const [changed] = this.#pick(entries);
    if (this.#chance(0.2)) return Object.fromEntries(entries.filter(([name]) => name !== changed));
    return Object.fromEntries(entries.map(([name, each]) => [name, name === changed ? this.#mutate(each) : each]));
  }

  /** Cuts the bytes off, or overwrites one. */
  #damage(body: Buffer): Buffer {
    const at = Math.floor(this.#random() * body.length);
    if (this.#chance(0.5)) return body.subarray(0, at);
    const damaged = Buffer.from(body);
    if (damaged.length > 0) damaged[at] = Math.floor(this.#random() * 256);
    return damaged;
  }

  /** Most of the time hostile, else something that looks right, so that what comes after it is reached. */
  #fill(path: string): string {
    return path.replaceAll(/\{\w+\}/g, () =>
      this.#chance(0.3) ? this.#pick(["tiny", "model", "1", "prod"]) : encode(this.#pick(texts)),
    );
  }

  #chance(share: number): boolean {
    return this.#random() < share;
  }

  #pick<T>(from: readonly T[]): T {
    const [picked] = from.slice(Math.floor(this.#random() * from.length));
    if (picked === undefined) throw new RangeError("nothing to pick from");
    return picked;
  }
}

/** Most texts are encoded already; what is left is made into what a path may hold. */
function encode(raw: string): string {
  return raw.replaceAll(/[^\u0021-\u007e]/gu, (character) => encodeURIComponent(character)).replaceAll(/[#?]/g, "");
}

/** Node refuses to send other characters in a header. */
function latin(raw: string): string {
  return raw.replaceAll(/[^\u0020-\u007e\u00a0-\u00ff]/gu, "?");
}

/** Sends requests over kept connections. */
export class Sender {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 8 });

  /** The answer; an event stream is left as soon as it begins. */
  send(url: string, { method, path, headers, body }: FuzzRequest): Promise<{ status: number; text: string }> {
    return new Promise((resolve, reject) => {
      const { hostname, port } = new URL(url);
      const length = body && { "content-length": String(body.length) };
      const sent = request({ agent: this.#agent, hostname, port, method, path, headers: { ...length, ...headers } });
      sent.on("error", reject).on("response", (response) => {
        const status = response.statusCode ?? 0;
        if (response.headers["content-type"]?.includes("event-stream")) {
          resolve({ status, text: "" });
          sent.destroy();
        } else text(response).then((read) => resolve({ status, text: read }), reject);
      });
      sent.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
