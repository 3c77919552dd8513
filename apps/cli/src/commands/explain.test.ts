import { once } from "node:events";
import { createServer } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { datasetOf, meanSample, testSample } from "../explain/samples.ts";
import { callWhittle } from "../testing/whittle.ts";

const digest = `sha256:${"0".repeat(64)}`;
const preprocessing = { scale: 1 / 127.5, offset: -1 };
const explanation = {
  model_name: "m",
  model_version: "2",
  class: 0,
  label: "rows",
  output: "probability",
  value: 0.9,
  baseline_value: 0.25,
  baseline: "its own",
  parts: { kind: "patches", grid: [1, 2], size: 4 },
  values: [0.6, 0.05],
  method: "exact",
  evaluations: 4,
};
const request = z.object({
  inputs: z.array(z.object({ shape: z.array(z.int()), data: z.array(z.number()) })),
  parameters: z.record(z.string(), z.unknown()),
});

/** Answers like the API and like the serving app, and keeps what explanations were asked for. */
const asked: z.infer<typeof request>[] = [];
let source = "tiny";
const server = createServer((incoming, response) => {
  const chunks: Uint8Array[] = [];
  incoming.on("data", (chunk: Uint8Array) => chunks.push(chunk));
  incoming.on("end", () => {
    const { url = "" } = incoming;
    if (url.endsWith("/explain")) asked.push(request.parse(JSON.parse(Buffer.concat(chunks).toString())));
    const model = { name: "m", inputs: [{ name: "x", datatype: "FP32", shape: [-1, 8, 8, 1] }], outputs: [] };
    const served = { ...model, parameters: { digest, preprocessing } };
    const manifest = { data: { name: source } };
    const isManifest = decodeURIComponent(url).includes(digest);
    response.end(JSON.stringify(url.endsWith("/explain") ? explanation : isManifest ? manifest : served));
  });
});
let url: string;
beforeAll(async () => {
  await once(server.listen(0, "127.0.0.1"), "listening");
  const address = server.address();
  url = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
});
afterAll(() => void server.close());

const explain = (...args: string[]) =>
  callWhittle(["explain", "m", ...args], { WHITTLE_URL: url, WHITTLE_SERVE_URL: url, WHITTLE_KEY: "" });

describe("explain", () => {
  it("sends a test sample as the model sees it, and shows what the serving app makes of it", async () => {
    const out = await explain("--sample", "5", "--class", "rows", "--patch", "4", "--seed", "3", "--baseline", "-0.5");
    expect(out).toContain(
      "m@2, test sample 5 of tiny (columns)\nrows: probability 0.900; of the baseline, its own, 0.250",
    );
    expect(out).toContain("\n██··\n");
    const { values } = testSample(await datasetOf("tiny", []), 5, preprocessing);
    const [sent] = asked.splice(0);
    expect(sent?.inputs).toEqual([{ shape: [1, 8, 8, 1], data: [...values] }]);
    expect(Math.min(...values)).toBeLessThan(-0.5);
    expect(sent?.parameters).toEqual({ class: "rows", patch: 4, seed: 3, baseline: -0.5 });
  });

  it("takes the mean of the training samples for the baseline where it is told to", async () => {
    expect(await explain("--sample", "0", "--baseline", "mean")).toContain("the mean of the training samples");
    const data = await datasetOf("tiny", []);
    const [sent] = asked.splice(0);
    expect(sent?.parameters["baseline"]).toEqual([...meanSample(data, preprocessing)]);
    // Of the 512 bytes in the upper left corner.
    const corner = Array.from({ length: 512 }, (_, sample) => data.train.x[sample * 64] ?? 0);
    const mean = corner.reduce((sum, value) => sum + value, 0) / 512;
    expect(meanSample(data, preprocessing)[0]).toBeCloseTo(mean / 127.5 - 1, 6);
    // The mean of two tokens is another one.
    expect(() => meanSample({ ...data, vocabulary: ["a", "b"] }, preprocessing)).toThrow(
      "the samples of tiny are tokens",
    );
  });

  it("takes an input as predict does, and prints the answer as it is", async () => {
    const input = JSON.stringify([Array.from({ length: 8 }, () => Array.from({ length: 8 }, () => [0.5]))]);
    expect(JSON.parse(await explain("--input", input, "--json"))).toEqual(explanation);
    expect(asked.splice(0)[0]?.inputs[0]?.data).toEqual(Array.from({ length: 64 }, () => 0.5));
  });

  it("says what is missing or wrong", async () => {
    await expect(explain()).rejects.toThrow("give --sample or --input");
    await expect(explain("--sample", "128")).rejects.toThrow("--sample must be 0 to 127 in tiny, not 128");
    await expect(explain("--sample", "1", "--baseline", "median")).rejects.toThrow('It must be a number, not "median"');
    await expect(explain("--sample", "1", "--input", "[]")).rejects.toThrow("cannot be used with");
    source = "mine@1";
    await expect(explain("--sample", "1")).rejects.toThrow("mine@1 is not of the zoo, so its samples are not here");
  });
});
