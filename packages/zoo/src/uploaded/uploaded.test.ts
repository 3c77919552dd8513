import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { isDeepStrictEqual, promisify } from "node:util";
import type { AppError } from "@whittle/contracts";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { openUpload, readUpload, type UploadOptions } from "./index.ts";
import { npyOf, npzOf, smallArrays, zipOf, type Arrays, type ZipEntry } from "./testing.ts";

const fixture = (name: string) => readFile(new URL(`fixtures/${name}`, import.meta.url));
const expected = z
  .record(z.string(), z.record(z.string(), z.object({ shape: z.array(z.int()), values: z.array(z.unknown()) })))
  .parse(JSON.parse(await readFile(new URL("fixtures/expected.json", import.meta.url), "utf8")));

/** What is wrong with a file: where, and what is said. */
async function refusal(
  file: Uint8Array,
  options?: UploadOptions,
): Promise<{ code: string; path: string; message: string }> {
  const error = await readUpload(file, options).then(
    () => undefined,
    (thrown: AppError) => thrown,
  );
  return { code: error?.code ?? "none", path: error?.issues[0]?.path ?? "none", message: error?.message ?? "accepted" };
}

const changed = (arrays: Arrays) => npzOf({ ...smallArrays, ...arrays });
const entries = (): ZipEntry[] =>
  Object.entries(smallArrays).map(([name, { values, shape }]) => ({
    name: `${name}.npy`,
    bytes: npyOf(values, shape),
  }));

/** The small arrays, the first entry changed. */
const withFirst = (change: Partial<ZipEntry>) =>
  zipOf(entries().map((entry, at) => (at === 0 ? { ...entry, ...change } : entry)));

const byte = 1 / 255;
const shoes = ["boot", "šaty", "套衫"];

describe("a file that numpy wrote", () => {
  it.each([
    ["images", { inputShape: [5, 4, 1], labels: shoes, preprocessing: { scale: byte, offset: 0 } }],
    ["floats", { inputShape: [3, 2, 2], labels: ["0", "1", "2"], preprocessing: { scale: 1, offset: 0 } }],
    ["rows", { inputShape: [4, 3], labels: ["0", "1", "2"], preprocessing: { scale: 1, offset: 0 } }],
    ["vectors", { inputShape: [5], labels: ["0", "1", "2"], preprocessing: { scale: 1, offset: 0 } }],
    ["tokens", { inputShape: [6], labels: shoes, preprocessing: { scale: 1, offset: 0 } }],
    ["letters", { inputShape: [6], labels: ["0", "1", "2"], vocabulary: ["a", "ß", "😀"] }],
  ])("%s.npz gives what numpy reads from it", async (name, content) => {
    const read = await readUpload(await fixture(`${name}.npz`));
    const arrays = expected[name] ?? {};
    expect(read.content).toMatchObject(content);
    for (const side of ["train", "test"] as const) {
      const { x, y, count } = read.splits[side];
      expect(count).toBe(arrays[`x_${side}`]?.shape[0]);
      expect(read.content.samples[side]).toBe(count);
      expect(Array.from(x)).toEqual(arrays[`x_${side}`]?.values.map((value) => Math.fround(Number(value))));
      expect(Array.from(y)).toEqual(arrays[`y_${side}`]?.values);
    }
  });

  it("keeps bytes and the ids of few tokens as bytes, all else as floats", async () => {
    const kinds = {
      images: Uint8Array,
      vectors: Uint8Array,
      letters: Uint8Array,
      floats: Float32Array,
      tokens: Float32Array,
    };
    for (const [name, kind] of Object.entries(kinds))
      expect((await readUpload(await fixture(`${name}.npz`))).splits.train.x, name).toBeInstanceOf(kind);
  });

  it.each([
    ["fortran", "x_train", "x_train is in Fortran order; it must be in C order"],
    ["objects", "y_train", "y_train holds Python objects, which are not read"],
    ["structured", "y_train", "y_train has values of type several fields; it must hold plain numbers"],
    ["big-endian", "x_test", "x_test is big endian; it must be little endian"],
    ["halves", "x_train", "x_train has values of type float16; it must be uint8 or float32"],
    ["one-hot", "y_train", "y_train has the shape [7, 3]; it must be [n], a class for each sample: y.argmax(axis=1)"],
    ["column", "y_train", "y_train has the shape [7, 1]; it must be [n], a class for each sample: y.reshape(-1)"],
    ["nan", "x_test", "x_test has NaN or an infinite value (as float32) in sample 2"],
    ["beyond-float32", "x_train", "x_train has NaN or an infinite value (as float32) in sample 0"],
  ])("%s.npz is refused, and says why", async (name, path, message) => {
    expect(await refusal(await fixture(`${name}.npz`))).toEqual({
      code: "invalid_request",
      path,
      message: expect.stringContaining(message),
    });
  });
});

describe("the small arrays of the tests", () => {
  it("are read, stored and deflated, with a comment and as version 2.0", async () => {
    const stored = zipOf(entries(), { comment: "made PK\u0005\u0006 by hand" });
    const second = withFirst({ bytes: npyOf(smallArrays["x_train"]!.values, [4, 2, 2], { major: 2 }) });
    const read = await Promise.all([npzOf(smallArrays), stored, second].map((file) => readUpload(file)));
    for (const each of read) expect(each).toEqual(read[0]);
    expect(read[0]?.content).toEqual({
      inputShape: [2, 2, 1],
      labels: ["0", "1"],
      preprocessing: { scale: byte, offset: 0 },
      samples: { train: 4, test: 2 },
    });
  });

  it("take a scale and an offset, unless they are token ids", async () => {
    const { content } = await readUpload(npzOf(smallArrays), { scale: 2, offset: -1 });
    expect(content.preprocessing).toEqual({ scale: 2, offset: -1 });
    expect((await readUpload(npzOf(smallArrays), { offset: -1 })).content.preprocessing).toEqual({
      scale: byte,
      offset: -1,
    });
    expect(await refusal(await fixture("letters.npz"), { scale: 2 })).toMatchObject({ path: "vocabulary" });
  });

  it("become a data set under its version's name, which must be what its record says", async () => {
    const file = npzOf(smallArrays);
    const { content } = await readUpload(file);
    const record = { ...content, name: "mine", version: 3, digest: "", size: 1, actor: "me", createdAt: "" };
    const data = await openUpload(record, file);
    expect(data).toMatchObject({ name: "mine@3", inputShape: [2, 2, 1], samples: { train: 4 }, test: { count: 2 } });
    expect(data.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
    const other = { ...record, samples: { train: 5, test: 2 } };
    await expect(openUpload(other, file)).rejects.toMatchObject({ code: "corrupt" });
  });
});

describe("arrays that do not fit", () => {
  const x = (values: Uint8Array, shape: number[]) => ({ values, shape });
  const ints = (...values: number[]) => ({ values: Int32Array.from(values), shape: [values.length] });
  const texts = (...values: string[]) => ({ values, shape: [values.length] });
  it.each<[string, Arrays, string]>([
    ["x_train", { x_train: x(new Uint8Array(0), [0, 2, 2]) }, "x_train is empty: its shape is [0, 2, 2]"],
    [
      "x_train",
      { x_train: x(Uint8Array.of(1, 2, 3, 4), [4]), x_test: x(Uint8Array.of(1, 2), [2]) },
      "it must be [n, features]",
    ],
    ["x_test", { x_test: x(new Uint8Array(6), [2, 3, 1]) }, "has the shape [n, 3, 1], but x_train has [n, 2, 2]"],
    ["x_test", { x_test: { values: new Float32Array(8), shape: [2, 2, 2] } }, "type float32, but x_train of uint8"],
    ["y_train", { y_train: ints(0, 1, 0) }, "has 3 labels, but x_train has 4 samples"],
    ["y_train", { y_train: ints(1, 1, 1, 1) }, "has only the class 1; it must have two or more"],
    ["y_train", { y_train: ints(0, 1, -1, 0) }, "has -1 at place 2; it must hold classes from 0 to 9999"],
    ["y_train", { y_train: ints(0, 1, 10_000, 0) }, "has 10000 at place 2"],
    [
      "y_test",
      { y_test: ints(0, 2), labels: texts("a", "b") },
      "has 2 at place 1; it must hold classes from 0 to 1, places in labels",
    ],
    ["y_test", { y_test: { values: Float32Array.of(0, 1), shape: [2] } }, "has values of type float32"],
    ["labels", { labels: texts("a", "a") }, "there twice"],
    ["labels", { labels: texts("a", "") }, "empty"],
    ["labels", { labels: texts("a") }, "has 1 of the texts that there must be for each class, two or more"],
    [
      "x_train",
      { x_train: x(new Uint8Array(300), [4, 3, 5, 5]), x_test: x(new Uint8Array(150), [2, 3, 5, 5]) },
      "channels first; images must be [n, height, width, channels]: x.transpose(0, 2, 3, 1)",
    ],
    ["labels", { labels: ints(0, 1) }, "is of type int32 and shape [2]; it must be texts [n]"],
    [
      "labels",
      { labels: texts("a", "b".repeat(201)) },
      "has 2 texts of up to 201 characters; it may have 10000 of up to 200",
    ],
    [
      "x_train",
      { vocabulary: texts("a", "b") },
      "has the shape [4, 2, 2]; with a vocabulary it must be token ids [n, steps]",
    ],
    [
      "x_train",
      {
        vocabulary: texts("a", "b"),
        x_train: x(Uint8Array.of(0, 1, 2, 0), [4, 1]),
        x_test: x(Uint8Array.of(0, 1), [2, 1]),
      },
      "has 2 at place 2; it must hold token ids from 0 to 1, places in vocabulary",
    ],
  ])("%s is refused, and says why", async (path, arrays, message) => {
    expect(await refusal(changed(arrays))).toEqual({
      code: "invalid_request",
      path,
      message: expect.stringContaining(message),
    });
  });

  it("are missing by name", async () => {
    const { y_test: _without, ...rest } = smallArrays;
    expect(await refusal(npzOf(rest))).toMatchObject({
      path: "y_test",
      message: expect.stringContaining("y_test is missing"),
    });
  });

  it.each([
    ["no magic", { bytes: new Uint8Array(100) }],
    ["version 3.0", { bytes: npyOf(new Uint8Array(16), [4, 2, 2], { major: 3 }) }],
    ["a header beyond its end", { bytes: npyOf(new Uint8Array(16), [4, 2, 2]).subarray(0, 40) }],
    ["no shape", { bytes: npyOf(new Uint8Array(16), [], { header: "{'descr': '|u1', 'fortran_order': False}" }) }],
    [
      "a shape that is none",
      {
        bytes: npyOf(new Uint8Array(16), [], { header: "{'descr': '|u1', 'fortran_order': False, 'shape': (-4, 4)}" }),
      },
    ],
    ["fewer values than its shape", { bytes: npyOf(new Uint8Array(15), [4, 2, 2]) }],
    ["more values than its shape", { bytes: npyOf(new Uint8Array(17), [4, 2, 2]) }],
    [
      "a shape beyond all numbers",
      {
        bytes: npyOf(
          new Uint8Array(16),
          Array.from({ length: 60 }, () => 999_999_999),
        ),
      },
    ],
    ["a type that is code", { bytes: npyOf(new Uint8Array(16), [4, 2, 2], { descr: "__import__" }) }],
  ])("with %s are refused at their name", async (_what, first) => {
    expect(await refusal(withFirst(first))).toMatchObject({ code: "invalid_request", path: "x_train" });
  });
});

describe("an archive that nobody vouches for", () => {
  const zeros = npyOf(new Uint8Array(4_000_000), [1_000_000, 2, 2]);

  it.each([
    ["a path", { name: "../x_train.npy" }, 'has an entry "../x_train.npy"; it may only have x_train.npy, y_train.npy'],
    ["another file", { name: "x_train.exe" }, 'has an entry "x_train.exe"'],
    ["a name twice", { name: "y_train.npy" }, "has the entry y_train.npy twice"],
    ["an encrypted entry", { lies: { flags: 1 } }, "encrypted"],
    ["another compression", { lies: { method: 14 } }, "method 14; it must be stored (0) or deflated (8)"],
    ["ZIP64 sizes", { lies: { size: 0xffffffff } }, "4 GiB or more"],
    [
      "more bytes than its directory says",
      { bytes: zeros, deflated: true, lies: { size: 100 } },
      "x_train.npy is not the 100 bytes",
    ],
    ["fewer bytes than its directory says", { deflated: true, lies: { size: 1000 } }, "is not the 1000 bytes"],
    ["another CRC-32", { lies: { crc: 1 } }, "CRC-32"],
    ["bytes that do not inflate", { lies: { method: 8 } }, "x_train.npy is not the"],
    ["an entry that is elsewhere", { lies: { at: 3 } }, "x_train.npy is not where its directory says"],
    ["an entry beyond the end", { lies: { at: 0x7fffffff } }, "x_train.npy is not where its directory says"],
    ["an entry cut off", { lies: { packed: 0x7fffffff } }, "is not the"],
  ])("with %s is refused", async (_what, first, message) => {
    expect(await refusal(withFirst(first))).toEqual({
      code: "invalid_request",
      path: "",
      message: expect.stringContaining(message),
    });
  });

  it("is not unpacked when its directory says more than the limit", async () => {
    const bomb = withFirst({ bytes: zeros, deflated: true });
    expect(bomb.length).toBeLessThan(10_000);
    expect(await refusal(bomb, { limitBytes: 1_000_000 })).toEqual({
      code: "payload_too_large",
      path: "",
      message: expect.stringMatching(/^the file has 4000\d+ bytes unpacked; it may have at most 1000000$/),
    });
  });

  it("is inflated no further than its directory says", async () => {
    const gigabyte = withFirst({
      bytes: npyOf(new Uint8Array(300_000_000), [1]),
      deflated: true,
      lies: { size: 10_000 },
    });
    const before = process.memoryUsage().arrayBuffers;
    expect(await refusal(gigabyte, { limitBytes: 1_000_000 })).toMatchObject({ code: "invalid_request" });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50_000_000);
  });

  it("cut off or changed anywhere is refused or gives the same, and is never a fault", async () => {
    const whole = npzOf(smallArrays);
    const right = await readUpload(whole);
    const tryOne = async (file: Uint8Array): Promise<string> => {
      const { code } = await refusal(file);
      if (code !== "none") return code;
      return isDeepStrictEqual((await readUpload(file)).splits, right.splits) ? "the same" : "others";
    };
    const cuts = Array.from({ length: whole.length }, (_, end) => whole.subarray(0, end));
    const flips = Array.from(whole, (value, at) => whole.with(at, value ^ (1 << (at % 8))));
    const codes = new Set(await Promise.all([...cuts, ...flips].map(tryOne)));
    expect([...codes].toSorted()).toEqual(["invalid_request", "the same"]);
    expect(await Promise.all(cuts.map(tryOne))).not.toContain("the same");
  });
});

it("loads no TensorFlow", async () => {
  const code = `
    await import("@whittle/zoo/uploaded");
    const { default: Module } = await import("node:module");
    console.log(JSON.stringify(Object.keys(Module._cache).filter((path) => path.includes("@tensorflow"))));`;
  const args = ["--import", "tsx", "--input-type=module", "-e", code];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: import.meta.dirname });
  expect(JSON.parse(stdout)).toEqual([]);
});
