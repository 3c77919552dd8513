import assert from "node:assert/strict";
import type { Bench } from "../../bench.ts";
import { cases, type ServeCase, type Side } from "./cases.ts";
import { describe, figuresOf, summarize, type Figures, type Round } from "./figures.ts";
import { modelNames } from "./models.ts";
import { unkept } from "./programs.ts";
import { bare, tensorflow, v2Binary, v2Json, type Way } from "./requests.ts";
import { openStage, type Stage } from "./stage.ts";

export const caseNames = cases.map(({ name }) => name);

/**
 * The serving app, a bare HTTP server and what sends the requests, each a process of its own. Within each round the sides of a case follow
 * one another; a ratio is taken within its round, then the median over the rounds.
 */
export const bench: Bench = async ({ rounds, only = "", say }) => {
  const stage = await openStage();
  const results = new Map<ServeCase, Round[]>();
  try {
    await checkAnswers(stage);
    // Round 0 does not count: what runs often is compiled only after thousands of requests.
    for (let round = 0; round <= rounds; round++) {
      for (const each of cases.filter(({ name }) => name.includes(only))) {
        const found: Round = {};
        const sides = await each.sides(stage);
        for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
          const result = await measure(stage, side);
          found[side.name] = result;
          say(`round ${round}/${rounds} ${each.name.padEnd(16)} ${side.name.padEnd(12)} ${describe(result)}`);
        }
        if (round > 0) results.set(each, [...(results.get(each) ?? []), found]);
      }
    }
  } finally {
    await stage.close();
  }
  return [...results].flatMap(([each, found]) => summarize(each, found));
};

/** Every way to ask must give the same logits, or what it costs says nothing. */
async function checkAnswers(stage: Stage): Promise<void> {
  const urls = { own: (await stage.serve()).url, bare: (await stage.bare()).url };
  for (const model of modelNames) {
    const expected = await ask(urls.bare, bare, model);
    for (const way of [v2Json, v2Binary, tensorflow]) {
      const logits = await ask(urls.own, way, model);
      const isSame =
        logits.length === 20 && logits.every((value, at) => Math.abs(value - (expected[at] ?? Number.NaN)) < 1e-4);
      assert.ok(isSame, `${model}: ${way.name} answers ${logits.join(" ")}, the bare server ${expected.join(" ")}`);
    }
  }
}

/** The logits of two samples. */
async function ask(url: string, way: Way, model: string): Promise<number[]> {
  const { path, headers, bodies } = way.request(model, 2);
  const response = await fetch(url + path, {
    method: "POST",
    headers: { ...headers, ...unkept.headers },
    body: bodies[0] ?? null,
  });
  const body = new Uint8Array(await response.arrayBuffer());
  assert.equal(response.status, 200, `${url}${path} answered ${new TextDecoder().decode(body)}`);
  return way.read(body, response.headers);
}

async function measure({ generator }: Stage, { program, load, meanwhile }: Side): Promise<Figures> {
  const ended = new AbortController();
  const before = await program.cpuSeconds();
  const [{ total, answered, refused }, loads] = await Promise.all([
    generator.run({ url: program.url, ...load }).finally(() => ended.abort()),
    meanwhile?.(ended.signal),
  ]);
  const cpuMs = ((await program.cpuSeconds()) - before) * (1000 / total);
  return {
    ...figuresOf(answered),
    "cpu-ms": cpuMs,
    ...(refused && { ...figuresOf(refused, "refused-"), "without-retry-after": refused.untold }),
    ...(loads !== undefined && { loads }),
  };
}
