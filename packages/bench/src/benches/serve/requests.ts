import { z } from "zod";
import type { Load } from "./load.ts";

const height = 28;
const pixels = height * height;
/** Enough that no two requests of a batch are the same. */
const bodyCount = 64;

/** A way to ask for predictions. */
export interface Way {
  name: string;
  request(model: string, samples: number): Pick<Load, "path" | "headers" | "bodies">;
  /** The logits of an answer, row-major. */
  read(body: Uint8Array, headers: Headers): number[];
}

/**
 * Images of 28 x 28 as clients send them after preprocessing, k / 255; half of the pixels are black, as in Fashion-MNIST, which decides how
 * long they are in JSON.
 */
function images(seed: number, samples: number): number[][] {
  return Array.from({ length: samples }, (_none, sample) =>
    Array.from({ length: pixels }, (_value, at) => {
      const value = ((seed * samples + sample + 1) * (at + 1) * 0.618_033_988_75) % 1;
      return value < 0.5 ? 0 : Math.round(value * 255) / 255;
    }),
  );
}

function bodies(samples: number, encode: (images: number[][]) => Uint8Array): Uint8Array[] {
  return Array.from({ length: bodyCount }, (_none, seed) => encode(images(seed, samples)));
}

const encodeJson = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const parseJson = (body: Uint8Array): unknown => JSON.parse(new TextDecoder().decode(body));
const json = { "content-type": "application/json" };

function tensor(samples: number) {
  return { name: "input", shape: [samples, height, height, 1], datatype: "FP32" };
}

const infer = (model: string): string => `/v2/models/${model}/infer`;
const inferAnswer = z.object({ outputs: z.tuple([z.object({ data: z.array(z.number()) })]) });

export const v2Json: Way = {
  name: "v2-json",
  request: (model, samples) => ({
    path: infer(model),
    headers: json,
    bodies: bodies(samples, (each) => encodeJson({ inputs: [{ ...tensor(samples), data: each.flat() }] })),
  }),
  read: (body) => inferAnswer.parse(parseJson(body)).outputs[0].data,
};

export const v2Binary: Way = {
  name: "v2-binary",
  request: (model, samples) => {
    const size = samples * pixels * Float32Array.BYTES_PER_ELEMENT;
    const input = { ...tensor(samples), parameters: { binary_data_size: size } };
    const head = encodeJson({ inputs: [input], parameters: { binary_data_output: true } });
    const encode = (each: number[][]): Buffer =>
      Buffer.concat([head, new Uint8Array(Float32Array.from(each.flat()).buffer)]);
    const headers = {
      "content-type": "application/octet-stream",
      "inference-header-content-length": String(head.byteLength),
    };
    return { path: infer(model), headers, bodies: bodies(samples, encode) };
  },
  read: (body, headers) => {
    const from = Number(headers.get("inference-header-content-length"));
    return [...new Float32Array(body.slice(from).buffer)];
  },
};

export const tensorflow: Way = {
  name: "tensorflow",
  request: (model, samples) => ({
    path: `/v1/models/${model}:predict`,
    headers: json,
    bodies: bodies(samples, (each) => encodeJson({ instances: each.map(toRows) })),
  }),
  read: (body) =>
    z
      .object({ predictions: z.array(z.array(z.number())) })
      .parse(parseJson(body))
      .predictions.flat(),
};

export const bare: Way = {
  name: "bare",
  request: (model, samples) => ({
    path: `/${model}`,
    headers: json,
    bodies: bodies(samples, (inputs) => encodeJson({ inputs })),
  }),
  read: (body) =>
    z
      .object({ outputs: z.array(z.array(z.number())) })
      .parse(parseJson(body))
      .outputs.flat(),
};

/** [28, 28, 1] */
function toRows(image: number[]): number[][][] {
  return Array.from({ length: height }, (_none, row) =>
    image.slice(row * height, (row + 1) * height).map((value) => [value]),
  );
}
