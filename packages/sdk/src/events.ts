import { AppError, jobEvent, type JobState, type StoredJobEvent } from "@whittle/contracts";
import { EventSourceParserStream } from "eventsource-parser/stream";
import type { Http } from "./http.ts";

export interface EventOptions {
  /** Only events after this one (an event's `id`). */
  after?: string;
  signal?: AbortSignal;
  /** How long to wait before connecting again, in ms. */
  retryMs?: number;
}

const ended: ReadonlySet<JobState> = new Set(["completed", "failed", "cancelled"]);

/** Whether a job in this state can still change by itself. */
export function isFinal(state: JobState): boolean {
  return ended.has(state);
}

/**
 * A job's events from the first (or from `after`) to its end, across lost connections: it connects again with `Last-Event-ID`, so
 * that none is missed and none comes twice. Ends after the event that says that the job ended.
 */
export async function* jobEvents(
  http: Http,
  path: string,
  options: EventOptions = {},
): AsyncGenerator<StoredJobEvent, void, void> {
  let after = options.after;
  while (!options.signal?.aborted) {
    try {
      for await (const event of connection(http, path, after, options.signal)) {
        after = event.id;
        yield event;
        if (event.type === "state" && isFinal(event.state)) return;
      }
    } catch (error) {
      if (options.signal?.aborted) return;
      if (error instanceof AppError && error.code !== "unavailable") throw error;
    }
    await pause(options.retryMs ?? 500, options.signal);
  }
}

async function* connection(http: Http, path: string, after: string | undefined, signal: AbortSignal | undefined) {
  const response = await http.request("GET", path, {
    headers: { accept: "text/event-stream", ...(after !== undefined && { "last-event-id": after }) },
    ...(signal && { signal }),
  });
  if (!response.body) return;
  const messages = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
  for await (const { id, data } of messages) {
    if (id === undefined) continue;
    const event = jobEvent.safeParse(JSON.parse(data));
    if (event.success) yield { ...event.data, id };
  }
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
