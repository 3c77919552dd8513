import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import { pipelineRequest } from "@whittle/contracts";
import { Redis } from "ioredis";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { makeKeys } from "../keys.ts";
import { createQueue, type JobQueue } from "../queue.ts";
import { catalog, resultOf } from "../rig-jobs.ts";
import { useRig } from "../rig.ts";
import type { WebhookProblem } from "./deliveries.ts";
import { checkDestination, isPrivate } from "./destination.ts";
import { post } from "./post.ts";
import { signedHeaders } from "./signature.ts";

const secret = "whsec_plJ3nmyCDGBKInavdOK15jsl";

describe("a signature", () => {
  it("is that of the example of Standard Webhooks", () => {
    const body = '{"event_type":"ping","data":{"success":true}}';
    expect(signedHeaders({ id: "msg_loFOjxBNrRLzqYUf", timestamp: 1731705121, body }, secret)).toEqual({
      "webhook-id": "msg_loFOjxBNrRLzqYUf",
      "webhook-timestamp": "1731705121",
      "webhook-signature": "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=",
    });
  });
});

describe("where webhooks may go", () => {
  it.each([
    ["https://hooks.example.com/x", ["hooks.example.com"]],
    ["https://A.example.com/x", ["*.example.com"]],
    ["http://127.0.0.1:9000/x", ["127.0.0.1"]],
    ["http://[::1]:9000/x", ["::1"]],
  ])("%s is allowed by %j", (url, hosts) => {
    expect(() => checkDestination(url, hosts)).not.toThrow();
  });

  it.each([
    ["https://hooks.example.com/x", []],
    ["https://example.com/x", ["*.example.com"]],
    ["https://badexample.com/x", ["*.example.com", "example.com"]],
    ["https://example.com@evil.test/x", ["example.com"]],
    ["http://2130706433/x", ["example.com"]],
  ])("%s is refused by %j", (url, hosts) => {
    expect(() => checkDestination(url, hosts)).toThrow("is not a host that webhooks may go to");
  });

  it.each([
    "10.1.2.3",
    "127.0.0.1",
    "169.254.169.254",
    "172.31.0.1",
    "192.168.1.1",
    "::1",
    "fd00::1",
    "::ffff:10.0.0.1",
  ])("%s is a private address", (address) => expect(isPrivate(address)).toBe(true));

  it.each(["1.1.1.1", "172.32.0.1", "2606:4700::1111"])("%s is a public address", (address) =>
    expect(isPrivate(address)).toBe(false),
  );

  it("a listed name is refused that stands for a private address which is not listed", async () => {
    const message = { id: "msg_1", timestamp: 0, body: "{}" };
    await expect(post("http://localhost:9/", message, secret, ["localhost"])).rejects.toThrow(/localhost.*private/);
  });
});

interface Received {
  headers: IncomingHttpHeaders;
  body: string;
}

describe("webhooks", () => {
  const rig = useRig();
  const received: Received[] = [];
  const problems: WebhookProblem[] = [];
  let answers: number[] = [];
  let server: Server;
  let url: string;
  let queue: JobQueue;

  beforeEach(async () => {
    received.length = 0;
    problems.length = 0;
    answers = [];
    server = createServer((request, response) => {
      let body = "";
      request.on("data", (chunk) => (body += String(chunk)));
      request.on("end", () => {
        received.push({ headers: request.headers, body });
        response.writeHead(answers.shift() ?? 204).end();
      });
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    url = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}/hook`;
    queue = open();
    await vi.waitFor(() => queue.ping());
  });

  afterEach(async () => {
    await queue.close();
    server.close();
  });

  const open = (hosts = ["127.0.0.1"]) => {
    const webhooks = { secret, hosts, onProblem: (problem: WebhookProblem) => void problems.push(problem) };
    return createQueue({ redisUrl: rig.redis.url, prefix: rig.prefix, catalog, webhooks });
  };
  const submit = (to: string) =>
    queue.submit({ kind: "make", params: {}, options: { webhook: { url: to } }, submittedBy: "test" });
  const told = () => received.map(({ body }) => String(/"type":"(job\.[a-z]+)"/.exec(body)?.[1]));

  it("tell a job's start, its progress seldom, and its end with the result, each signed", async () => {
    const { id } = await submit(url);
    await rig.work(async (envelope, { emit }) => {
      for (const fraction of [0.1, 0.2, 0.3]) emit({ type: "progress", fraction, stage: "half" });
      return resultOf(envelope);
    });
    await vi.waitFor(
      () => expect(new Set(told())).toEqual(new Set(["job.completed", "job.progress", "job.running"])),
      20_000,
    );
    expect(received).toHaveLength(3);
    const end = received.find(({ body }) => body.includes("job.completed"));
    expect(JSON.parse(end?.body ?? "")).toMatchObject({
      data: { id, kind: "make", result: { artifact: { version: 1 } } },
    });
    for (const { headers, body } of received) {
      const sent = { id: String(headers["webhook-id"]), timestamp: Number(headers["webhook-timestamp"]), body };
      expect(headers).toMatchObject(signedHeaders(sent, secret));
    }
  });

  it("are tried again, under the same id, also by another process", async () => {
    answers = [500];
    await submit(url);
    await queue.cancel((await queue.list({ limit: 1 })).jobs[0]?.id ?? "");
    // It is written down that the try has failed: else the next waits, for up to a minute, until the claim on it has lapsed.
    await vi.waitFor(() => expect(problems).toHaveLength(1), { timeout: 20_000 });
    await queue.close();
    queue = open();
    await vi.waitFor(() => expect(told()).toEqual(["job.cancelled", "job.cancelled"]), 20_000);
    expect(received[0]?.headers["webhook-id"]).toBe(received[1]?.headers["webhook-id"]);
  });

  it("are refused to hosts that are not listed, and where none is", async () => {
    await expect(submit("https://example.com/")).rejects.toMatchObject({
      code: "invalid_request",
      message: expect.stringMatching(/^webhook.url: example.com is not a host/),
      issues: [{ path: "webhook.url", message: expect.stringContaining("127.0.0.1 (WHITTLE_WEBHOOK_HOSTS)") }],
    });
    const options = { webhook: { url } };
    await expect(rig.queue.submit({ kind: "make", params: {}, options, submittedBy: "test" })).rejects.toThrow(
      "none is",
    );
  });

  it("that are refused in a pipeline name the step, wherever it stands", async () => {
    const steps = [
      { step: "last", kind: "change", params: { base: "$first" }, webhook: { url: "https://example.com/" } },
      { step: "first", kind: "make" },
    ];
    const request = pipelineRequest.parse({ steps });
    await expect(queue.submitPipeline({ request, submittedBy: "test" })).rejects.toMatchObject({
      message: expect.stringMatching(/^steps.0.webhook.url: example.com is not a host/),
      issues: [{ path: "steps.0.webhook.url" }],
    });
  });

  it.each(["file:///x", "hook", 5])("are not sent to %j, and it is said what would be right", async (to) => {
    const wrong = JSON.parse(JSON.stringify({ webhook: { url: to } }));
    await expect(queue.submit({ kind: "make", params: {}, options: wrong, submittedBy: "test" })).rejects.toMatchObject(
      {
        issues: [
          { path: "webhook.url", message: expect.stringMatching(/^must be a URL that starts with http:.*, not /) },
        ],
      },
    );
  });

  it("that fail are told of, without what is secret in the URL, and tried again", async () => {
    answers = [500];
    const { id } = await submit(`${url}?token=hidden`);
    await queue.cancel(id);
    await vi.waitFor(() => expect(received).toHaveLength(2), { timeout: 20_000 });
    expect(problems).toEqual([{ job: id, host: "127.0.0.1", attempt: 1, final: false, reason: "the answer was 500" }]);
  });

  it("to a name that stands for a private address are told of and given up at once", async () => {
    await queue.close();
    queue = open(["localhost"]);
    await vi.waitFor(() => queue.ping(), { timeout: 20_000 });
    const { id } = await submit(`${url.replace("127.0.0.1", "localhost")}?token=hidden`);
    await queue.cancel(id);
    await vi.waitFor(() => expect(problems).toHaveLength(1), { timeout: 20_000 });
    expect(problems).toEqual([
      {
        job: id,
        host: "localhost",
        attempt: 1,
        final: true,
        reason: expect.stringMatching(/^localhost stands for .*private/),
      },
    ]);
    await withRedis(async (redis) => {
      expect(await redis.zcard(`${makeKeys(rig.prefix).bull}:webhooks:failed`)).toBe(1);
    });
    expect(received).toEqual([]);
  });

  it("go on after events that can't be read, which are told of and dropped", async () => {
    const { id } = await submit(url);
    const { webhooks } = makeKeys(rig.prefix);
    await withRedis(async (redis) => {
      for (const event of ["{", '{"type":"no such type"}']) await redis.xadd(webhooks, "*", "job", id, "event", event);
      await queue.cancel(id);
      await vi.waitFor(() => expect(told()).toEqual(["job.cancelled"]), { timeout: 20_000 });
      await vi.waitFor(async () => expect(await redis.xlen(webhooks)).toBe(0), { timeout: 20_000 });
    });
    const dropped = { job: id, final: true, reason: expect.stringContaining("can't be read and is dropped") };
    expect(problems).toEqual([dropped, dropped]);
  });

  async function withRedis(use: (redis: Redis) => Promise<void>): Promise<void> {
    const redis = new Redis(rig.redis.url);
    await use(redis).finally(() => redis.disconnect());
  }
});
