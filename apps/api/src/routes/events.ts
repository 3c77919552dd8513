import { parse, type StoredJobEvent } from "@whittle/contracts";
import { eventId, isFinal } from "@whittle/queue";
import type { Request, Response } from "express";
import { z } from "zod";
import { param, route, type Route } from "../route.ts";
import type { Services } from "../services.ts";

const headers = z.object({ "last-event-id": eventId.optional() });

export function eventRoutes(services: Services): Route[] {
  return [
    route({
      method: "get",
      path: "/v1/jobs/:id/events",
      tag: "jobs",
      summary: "Follow a job: its events so far and those to come, until it ends (server-sent events)",
      description: "Each message has the event's place as `id`, its type as `event`, and the event as JSON `data`.",
      headers: { "Last-Event-ID": "Go on after this event. 204 when the job has ended and nothing is left." },
      mediaType: "text/event-stream",
      handle: ({ request, response }) => follow(services, request, response),
    }),
  ];
}

async function follow({ queue, heartbeatMs, leaving }: Services, request: Request, response: Response): Promise<void> {
  const id = param(request, "id");
  const after = parse(headers, request.headers, "the header")["last-event-id"];
  const { finishedAt } = await queue.get(id);
  if (finishedAt !== undefined && (await queue.events(id, { after })).length === 0) {
    response.status(204).end();
    return;
  }
  response.set({ "Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no" });
  const stop = await queue.subscribe(id, after, (event) => {
    response.write(message(event));
    if (isFinal(event)) response.end();
  });
  const heartbeat = setInterval(() => response.write(": alive\n\n"), heartbeatMs);
  const end = (): void => {
    clearInterval(heartbeat);
    leaving.removeEventListener("abort", end);
    stop();
    response.end();
  };
  leaving.addEventListener("abort", end);
  response.once("close", end);
  if (response.closed || leaving.aborted) end();
  else response.flushHeaders();
}

function message({ id, ...event }: StoredJobEvent): string {
  return `id: ${id}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}
