import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "@whittle/contracts";
import { permutation } from "@whittle/engine";
import type { Split } from "../../dataset.ts";
import { defineLoader } from "../../loader.ts";
import { dataset, languages } from "./contract.ts";

const files = Object.values(languages).map((code) => `${code}.html`);
const steps = dataset.inputShape[0] ?? 0;
const ids = new Map(dataset.vocabulary?.map((character, id) => [character, id]));

/** One of so many paragraphs is for testing, so that no sentence is on both sides. */
const testEvery = 4;

export const load = defineLoader({
  files,
  isHere: (folder) => files.every((file) => existsSync(join(folder, file))),
  load: async (folder) => {
    const texts = await Promise.all(files.map((file) => paragraphs(join(folder, file))));
    const side = (test: boolean, count: number) =>
      assembleSplit(
        texts.map((text) => text.filter((_, at) => (at % testEvery === testEvery - 1) === test).join(" ")),
        count,
      );
    return { train: side(false, dataset.samples.train), test: side(true, dataset.samples.test) };
  },
});

/** The paragraphs of a declaration, in small letters; what is no letter is a space, and never two of them. */
async function paragraphs(path: string): Promise<string[]> {
  const html = await readFile(path, "utf8");
  return [...html.matchAll(/<p>(.*?)<\/p>/gs)].map(([, text = ""]) => {
    const letters = text.normalize("NFC").toLowerCase().replaceAll(/\p{M}/gu, "");
    return letters.replaceAll(/[^\p{L}]+/gu, " ").trim();
  });
}

/** `count` windows that do not overlap, the languages in turn, those of a language in an order that looks random. */
function assembleSplit(texts: string[], count: number): Split {
  const x = new Uint8Array(count * steps);
  const y = Int32Array.from({ length: count }, (_, sample) => sample % texts.length);
  for (const [language, text] of texts.entries()) {
    const windows = permutation(Math.floor(text.length / steps), language);
    for (let turn = 0, sample = language; sample < count; turn++, sample += texts.length) {
      const window = windows[turn];
      if (window === undefined) throw tooShort(language, count);
      x.set(encode(text.slice(window * steps, (window + 1) * steps)), sample * steps);
    }
  }
  return { x, y, count };
}

function encode(text: string): number[] {
  return Array.from(text, (character) => ids.get(character) ?? 0);
}

function tooShort(language: number, count: number): AppError {
  const windows = count / files.length;
  return new AppError("corrupt", `${files[language]} must have ${windows} times ${steps} letters on either side`);
}
