import { EventEmitter, on } from "node:events";
import { describe, expect, it } from "vitest";
import { resultOf, succeed, useRig } from "../rig.ts";

const rig = useRig();

/** Reads an event stream to its end. */
async function follow(id: string, headers: Record<string, string> = {}): Promise<{ status: number; text: string }> {
  const response = await fetch(`${rig.api.url}/v1/jobs/${id}/events`, { headers });
  return { status: response.status, text: await response.text() };
}

function messages(text: string): { id: string; event: string; data: unknown }[] {
  return [...text.matchAll(/id: (.+)\nevent: (.+)\ndata: (.+)\n\n/g)].map(([, id = "", event = "", data = ""]) => {
    return { id, event, data: JSON.parse(data) };
  });
}

describe("GET /v1/jobs/:id/events", () => {
  it("streams what was and what comes, and ends with the job", async () => {
    const id = await rig.submit();
    const following = follow(id);
    await rig.work(async (envelope, { emit }) => {
      emit({ type: "log", level: "info", message: "two\nlines" });
      return resultOf(envelope);
    });
    const { text } = await following;
    expect(messages(text)).toMatchObject([
      { event: "state", data: { state: "waiting" } },
      { event: "state", data: { state: "running" } },
      { event: "log", data: { message: "two\nlines" } },
      { event: "state", data: { state: "completed" } },
    ]);
  });

  it("goes on after Last-Event-ID, and says 204 when nothing is left", async () => {
    const id = await rig.submit();
    await rig.work(succeed);
    await rig.reaches(id, "completed");
    const all = messages((await follow(id)).text);
    const rest = messages((await follow(id, { "last-event-id": all[0]?.id ?? "" })).text);
    expect(rest).toEqual(all.slice(1));
    expect((await follow(id, { "last-event-id": all.at(-1)?.id ?? "" })).status).toBe(204);
  });

  it.each(["garbage", "1", `${"9".repeat(25)}-0`])("refuses the Last-Event-ID %s", async (place) => {
    const id = await rig.submit();
    expect(await rig.get(`/v1/jobs/${id}/events`, { "last-event-id": place })).toMatchObject({
      status: 400,
      body: { issues: [{ path: "last-event-id", message: "must be an event's id as it was sent" }] },
    });
  });

  it("is kept alive while nothing happens, and ends when the API leaves", async () => {
    const id = await rig.submit();
    const response = await fetch(`${rig.api.url}/v1/jobs/${id}/events`);
    const seen = new EventEmitter();
    const reading = (async () => {
      for await (const chunk of response.body ?? []) seen.emit("text", new TextDecoder().decode(chunk));
    })().catch(() => "cut off");
    for await (const [text] of on(seen, "text")) if (String(text).includes(": alive")) break;
    await rig.api.close();
    await reading;
    await expect(fetch(`${rig.api.url}/healthz`)).rejects.toThrow("fetch failed");
  });
});
