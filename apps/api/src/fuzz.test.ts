import { catalog } from "@whittle/jobs/catalog";
import { expect, it, vi } from "vitest";
import { z } from "zod";
import { Fuzzer, openApi, Sender } from "./fuzz.fixture.ts";
import { useRig } from "./rig.ts";

const rig = useRig();

const requests = Number(process.env["WHITTLE_FUZZ_REQUESTS"] ?? 10_000);
const seed = Number(process.env["WHITTLE_FUZZ_SEED"] ?? 1);
const atOnce = 8;

const page = z.object({ jobs: z.array(z.object({ id: z.string() })), cursor: z.string().optional() });
const accepted = z.union([z.object({ steps: page.shape.jobs }), z.object({ id: z.string() })]);

/** The jobs that an answer with 202 speaks of. */
function acceptedIds(body: string): string[] {
  const view = accepted.parse(JSON.parse(body));
  return "steps" in view ? view.steps.map(({ id }) => id) : [view.id];
}

async function jobIds(url: string): Promise<string[]> {
  const ids: string[] = [];
  let at = "";
  do {
    const { jobs, cursor } = page.parse(await (await fetch(`${url}/v1/jobs?limit=200${at}`)).json());
    ids.push(...jobs.map(({ id }) => id));
    at = cursor === undefined ? "" : `&cursor=${cursor}`;
  } while (at !== "");
  return ids;
}

const socketCount = (): number => process.getActiveResourcesInfo().filter((each) => each.startsWith("TCP")).length;

it(
  "answers malformed requests without a fault of its own, and keeps nothing of them",
  { timeout: 600_000 },
  async () => {
    const { url } = await rig.startReady({ catalog });
    const fuzzer = new Fuzzer(openApi.parse(await (await fetch(`${url}/openapi.json`)).json()), seed);
    const sender = new Sender();
    const answers: Record<number, number> = {};
    const faults: string[] = [];
    const made = new Set<string>();
    const tryOne = async (): Promise<void> => {
      const request = fuzzer.next();
      const { status, text } = await sender.send(url, request);
      answers[status] = (answers[status] ?? 0) + 1;
      if (status >= 500) faults.push(`${status} ${request.method} ${request.path} ${request.body?.toString() ?? ""}`);
      if (status === 202) for (const id of acceptedIds(text)) made.add(id);
    };
    const before = socketCount();

    for (let sent = 0; sent < requests; sent += atOnce) await Promise.all(Array.from({ length: atOnce }, tryOne));
    sender.close();

    expect(faults).toEqual([]);
    expect(answers[400]).toBeGreaterThan(requests / 5);
    expect(Object.keys(answers)).toEqual(expect.arrayContaining(["200", "201", "202", "404"]));
    expect((await jobIds(url)).toSorted()).toEqual([...made].toSorted());
    // Its own requests for the list keep up to two connections.
    await vi.waitFor(() => expect(socketCount()).toBeLessThanOrEqual(before + 2), { timeout: 20_000 });
  },
);
