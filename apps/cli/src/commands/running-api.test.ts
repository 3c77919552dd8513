import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startRedis, type RedisServer } from "@whittle/queue/server";
import { WhittleClient } from "@whittle/sdk";
import { openStore } from "@whittle/store";
import { exampleDraft } from "@whittle/store/testing";
import { npzOf, smallArrays } from "@whittle/zoo/uploaded/testing";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { launch, type Launched } from "../stack/launch.ts";
import { freePort } from "../stack/ports.ts";
import { processes } from "../stack/processes.ts";
import { callWhittle } from "../testing/whittle.ts";

const cwd = fileURLToPath(new URL("../../../..", import.meta.url));
const host = "127.0.0.1";
const timeout = 120_000;
let folder: string;
let redis: RedisServer;
let api: Launched;
let url: string;
let client: WhittleClient;
let digests: string[];

/** A real API on a real Redis, without a worker: jobs wait. Its store has base@1, and small@1 and small@2 that were made from it. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "whittle-cli-api-"));
  const config = { store: join(folder, "store"), api: { host, port: await freePort(host, 0) } };
  const store = await openStore(config.store);
  const base = await store.publish(exampleDraft("base"), { name: "base", jobId: "j0", actor: "me" });
  const draft = (text: string) => exampleDraft(text, { parents: [{ role: "base", digest: base.digest }] });
  const small = await store.publish(draft("a"), { name: "small", alias: "prod", jobId: "j1", actor: "me" });
  const other = await store.publish(draft("b"), { name: "small", jobId: "j2", actor: "me" });
  digests = [base, small, other].map(({ digest }) => digest);
  redis = await startRedis({ dir: join(folder, "redis") });
  const all = { ...config, redisUrl: redis.url, prefix: "test", serve: config.api, workers: 1, concurrency: 1 };
  const spec = processes(all).find(({ name }) => name === "api");
  if (!spec) throw new Error("there is no API");
  const webhooks = { WHITTLE_WEBHOOK_SECRET: `whsec_${"A".repeat(32)}`, WHITTLE_WEBHOOK_HOSTS: host };
  // Empty, as Compose passes on what is not set.
  const env = { ...process.env, ...webhooks, WHITTLE_API_KEYS: "", WHITTLE_BODY_LIMIT_BYTES: "" };
  api = await launch(spec, { cwd, logDir: join(folder, "logs"), env });
  url = `http://${host}:${config.api.port}`;
  client = new WhittleClient({ url });
  const look = async (): Promise<void> => {
    const { status } = await fetch(`${url}/readyz`);
    if (status !== 200) throw new Error(`readyz is ${status}`);
  };
  await vi.waitFor(look, { timeout: 60_000 });
}, timeout);

afterAll(async () => {
  await api.stop(10_000);
  await redis.close();
  await rm(folder, { recursive: true });
});

const whittle = (...args: string[]): Promise<string> => callWhittle(args, { WHITTLE_URL: url, WHITTLE_KEY: "" });

const jobId = /[0-9a-z]{26}/;
const submit = async (...args: string[]): Promise<string> => {
  const out = await whittle("submit", "evaluate", "--params", '{"model": "small@1"}', ...args);
  return jobId.exec(out)?.[0] ?? "";
};

describe("models", () => {
  it("have versions, aliases, and what they were made from", async () => {
    const versions = await whittle("models", "versions", "small");
    expect(versions).toMatch(new RegExp(`^1 +prod +\\S+Z +j1 +${digests[1]}$`, "m"));
    expect(versions).toMatch(new RegExp(`^2 +\\S+Z +j2 +${digests[2]}$`, "m"));
    expect(await whittle("models", "lineage", "small@2")).toBe(`small@2  ${digests[2]}\n  base base@1  ${digests[0]}`);
    expect(JSON.parse(await whittle("models", "manifest", "small@2"))).toMatchObject({
      parents: [{ role: "base", digest: digests[0] }],
    });
    await expect(whittle("models", "versions", "none")).rejects.toMatchObject({ code: "not_found" });
  });

  it("have aliases that are set and moved", async () => {
    expect(await whittle("models", "alias", "small", "beta", "1")).toBe("small@beta is small@1");
    expect(await whittle("models", "alias", "small", "beta", "2")).toBe("small@beta is small@2");
    expect(await whittle("models")).toMatch(/^small +2 +beta -> 2, prod -> 1$/m);
    await expect(whittle("models", "alias", "small", "beta", "3")).rejects.toThrow("version 3");
    await expect(whittle("models", "alias", "small", "beta", "two")).rejects.toMatchObject({
      name: "CommanderError",
      message: expect.stringContaining('It must be a number, not "two".'),
    });
  });

  it("have cards, and charts where there is what to compare with", async () => {
    expect(await whittle("report", "small@1")).toContain("small@1");
    const file = join(folder, "chart.svg");
    await expect(whittle("report", "base", "--chart", file)).rejects.toMatchObject({ code: "not_found" });
  });
});

describe("datasets", () => {
  it("are added from a file, listed and deleted", async () => {
    const file = join(folder, "mine.npz");
    await writeFile(file, npzOf(smallArrays));
    expect(await whittle("dataset", "add", "mine", file)).toBe("mine@1: 4 + 2 samples 2x2x1, 2 classes");
    expect(await whittle("datasets", "add", "mine", file)).toContain("mine@1:");
    const scaled = await whittle("datasets", "add", "mine", file, "--scale", "0.5", "--offset", "-1");
    expect(scaled).toContain("mine@2:");
    const [, second] = await client.uploadedDatasets();
    expect(second).toMatchObject({ version: 2, preprocessing: { scale: 0.5, offset: -1 } });
    for (const list of [["datasets"], ["dataset", "list"]]) {
      const out = await whittle(...list);
      expect(out).toMatch(/^tiny +Tiny patterns +8x8x1 +4 +512 \+ 128 +none$/m);
      expect(out).toMatch(/^mine@2 +uploaded +2x2x1 +2 +4 \+ 2 +all$/m);
    }
    await writeFile(file, npzOf({ ...smallArrays, y_test: { values: Uint8Array.of(1, 2), shape: [2] } }));
    for (const list of [["datasets", "add", "mine", file], ["datasets"]])
      expect(await whittle(...list)).toMatch(/^mine@3: warning: y_test has 1 of its 2 samples in a class that .*: 2/m);
    expect(await whittle("datasets", "delete", "mine@1")).toMatch(/^deleted mine@1; /);
    expect(await whittle("datasets")).not.toContain("mine@1");
  });

  it("say what is wrong with a file, a number and a version", async () => {
    const file = join(folder, "wrong.npz");
    await expect(whittle("datasets", "add", "mine", file)).rejects.toThrow(`${file} can't be read`);
    await writeFile(file, npzOf({ ...smallArrays, y_test: { values: Int32Array.of(0, -1), shape: [2] } }));
    await expect(whittle("datasets", "add", "mine", file)).rejects.toThrow("y_test has -1 at place 1");
    await expect(whittle("datasets", "add", "mine", file, "--scale", "x")).rejects.toThrow("must be a number");
    await expect(whittle("datasets", "delete", "mine")).rejects.toThrow("must be name@version");
  });
});

describe("submit", () => {
  it("has a webhook whose failed deliveries are in the API's log, without the query of its URL", async () => {
    const id = await submit("--webhook", `http://${host}:9/hook?token=hidden`);
    await whittle("cancel", id);
    const logged = async (): Promise<string> => {
      const lines = (await readFile(api.log, "utf8")).split("\n");
      return lines.find((line) => line.includes("a webhook was not delivered") && line.includes(id)) ?? "";
    };
    await vi.waitFor(async () => expect(await logged()).toContain("ECONNREFUSED"), { timeout: 20_000 });
    expect(JSON.parse(await logged())).toMatchObject({ level: 40, job: id, host, attempt: 1, final: false });
    expect(await logged()).not.toContain("hidden");
  });

  it("passes every option on", async () => {
    const hook = `http://${host}:9/hook`;
    const flags = `--name judged --alias prod --priority 5 --attempts 2 --timeout 60 --webhook ${hook} --fresh`;
    const id = await submit(...flags.split(" "), "--idempotency-key", "once");
    // The API takes a request with the same key for the same one only when all of it is the same.
    const options = {
      output: { name: "judged", alias: "prod" },
      priority: 5,
      attempts: 2,
      timeoutSeconds: 60,
      webhook: { url: hook },
      fresh: true,
      idempotencyKey: "once",
    };
    expect((await client.submit("evaluate", { model: "small@1" }, options)).id).toBe(id);
    const other = client.submit("evaluate", { model: "small@1" }, { ...options, timeoutSeconds: 61 });
    await expect(other).rejects.toMatchObject({ code: "conflict" });
  });

  it.each([
    [["--priority", "0"], "option '--priority <n>' argument '0' is invalid. It must be at least 1, not 0."],
    [["--attempts", "21"], "It must be at most 20, not 21."],
    [["--timeout", "soon"], 'It must be a number, not "soon".'],
    [["--webhook", "http://elsewhere.example/"], "webhook.url: elsewhere.example is not a host"],
    [["--webhook", "hook"], "webhook.url: "],
    [["--name", "A"], "output.name: must be"],
  ])("is refused with %j", async (args, message) => {
    await expect(submit(...args)).rejects.toThrow(message);
  });

  it("names the field where a family can't take the data set", async () => {
    const params = JSON.stringify({ family: "cnn", dataset: "udhr" });
    await expect(whittle("submit", "train", "--params", params)).rejects.toMatchObject({
      issues: [{ path: "params.family" }],
    });
    await expect(client.submit("train", { family: "cnn", dataset: "udhr" })).rejects.toMatchObject({
      code: "invalid_request",
      issues: [{ path: "params.family", message: expect.stringContaining("takes images") }],
    });
  });
});

describe("import", () => {
  it("uploads a file and submits the job that takes it, and follows that to its end", async () => {
    const file = join(folder, "model.onnx");
    await writeFile(file, "not really ONNX");
    const flags = "--dataset tiny --name mine --alias prod --scale 0.5 --offset -1 --channels first";
    const ended = whittle("import", file, ...flags.split(" ")).catch((error: unknown) => error);
    const waiting = async () => {
      const [job] = (await client.jobs({ kind: "import" })).jobs;
      if (!job) throw new Error("there is no job");
      return job;
    };
    const { id } = await vi.waitFor(waiting, { timeout: 20_000 });
    const digest = `sha256:${createHash("sha256").update("not really ONNX").digest("hex")}`;
    const params = { file: digest, dataset: "tiny", channels: "first", preprocessing: { scale: 0.5, offset: -1 } };
    expect(await client.job(id)).toMatchObject({ params, output: { name: "mine", alias: "prod" } });
    await client.cancel(id);
    expect(String(await ended)).toContain(`import ${id} cancelled`);
  });

  it("says what is wrong with its options", async () => {
    const file = join(folder, "none.onnx");
    await expect(whittle("import", file, "--dataset", "tiny")).rejects.toThrow(`${file} can't be read`);
    await expect(whittle("import", file)).rejects.toMatchObject({ name: "CommanderError" });
    for (const [option, needed] of [
      ["--alias", "--name"],
      ["--offset", "--scale"],
    ] as const) {
      const call = whittle("import", file, "--dataset", "tiny", option, "1");
      await expect(call).rejects.toThrow(`${option} needs ${needed}`);
    }
    await writeFile(file, "not really ONNX");
    await expect(whittle("import", file, "--dataset", "nothing")).rejects.toThrow("params.dataset");
  });
});

describe("a pipeline", () => {
  it("is enqueued once for a key, shown, and watched to its end", async () => {
    const file = join(folder, "pipeline.json");
    const steps = [
      { step: "first", kind: "evaluate", params: { model: "small@1" }, priority: 7 },
      { step: "second", kind: "evaluate", params: { model: "small@2" } },
    ];
    await writeFile(file, JSON.stringify({ steps }));
    const made = await whittle("pipeline", file, "--idempotency-key", "pipe");
    const [pipeline = "", first = "", second = ""] = made.match(new RegExp(jobId, "g")) ?? [];
    expect(await whittle("pipeline", file, "--idempotency-key", "pipe")).toBe(made);
    expect(JSON.parse(await whittle("show", pipeline))).toMatchObject({
      id: pipeline,
      steps: [
        { step: "first", id: first },
        { step: "second", id: second },
      ],
    });
    expect(await whittle("cancel", first)).toMatch(/^cancelled/);
    const watched = whittle("watch", pipeline).catch((error: unknown) => error);
    await client.cancel(second);
    expect(String(await watched)).toContain(`evaluate ${first} cancelled`);
  });

  it("is cancelled as a whole", async () => {
    const file = join(folder, "whole.json");
    const steps = ["first", "second"].map((step) => ({ step, kind: "evaluate", params: { model: "small@1" } }));
    await writeFile(file, JSON.stringify({ steps }));
    const [pipeline = ""] = (await whittle("pipeline", file)).match(new RegExp(jobId, "g")) ?? [];
    expect(await whittle("cancel", pipeline)).toMatch(/^first +\S+ +cancelled.*\nsecond +\S+ +cancelled/);
  });
});

describe("a job", () => {
  it("is shown with all that is known of it", async () => {
    const id = await submit();
    expect(JSON.parse(await whittle("show", id))).toMatchObject({ id, params: { model: "small@1" }, attemptsMade: 0 });
    expect(await whittle("metrics", id)).toBe("no metrics");
  });

  it.each(["show", "watch"])("that is none is said to be none by %s", async (command) => {
    await expect(whittle(command, "nothing")).rejects.toThrow("there is no job or pipeline nothing");
  });

  it("is listed with more than the API gives at a time", { timeout: 60_000 }, async () => {
    for (let at = 0; at < 203; at++) await client.submit("evaluate", { model: "small@2" });
    const lines = async (...args: string[]) => (await whittle("jobs", ...args)).split("\n");
    const many = await lines("--limit", "202", "--state", "waiting");
    expect(many).toHaveLength(1 + 202);
    expect(new Set(many).size).toBe(1 + 202);
    expect(await lines()).toHaveLength(1 + 20);
  });
});

describe("kinds", () => {
  it("are listed, and one is shown with the schema of its parameters", async () => {
    expect(await whittle("kinds")).toMatch(/^evaluate +\S.* model, dataset, limit/m);
    expect(JSON.parse(await whittle("kinds", "evaluate"))).toMatchObject({
      kind: "evaluate",
      params: { properties: { model: {} } },
    });
    await expect(whittle("kinds", "melt")).rejects.toThrow(/^melt is not a job kind; the kinds are .*train/);
  });
});

describe("store gc", () => {
  it("leaves an upload that a waiting job takes, and removes it once that has ended", async () => {
    const { digest: file } = await client.upload(Uint8Array.of(1, 2, 3));
    const { id } = await client.send("import", { file, dataset: "tiny" });
    const env = { WHITTLE_KEY: "", WHITTLE_STORE: join(folder, "store") };
    const { claims } = await openStore(env.WHITTLE_STORE);
    const gc = (WHITTLE_URL: string) => callWhittle("store gc --grace 0 --delete".split(" "), { ...env, WHITTLE_URL });
    const said = vi.spyOn(console, "error").mockImplementation(() => {});
    await gc(url);
    await client.cancel(id);
    await gc(`http://${host}:9`);
    expect(said.mock.calls).toEqual([[expect.stringMatching(/^uploads that jobs took were all left.*not answer/)]]);
    expect(await gc(url)).toMatch(/^leftovers +1 /m);
    expect(await claims.has(file)).toBe(false);
  });
});
