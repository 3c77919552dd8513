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
      const response = await connect(http, path, after, options.signal);
      if (response.status === nothingLeft) return;
      for await (const event of eventsOf(response)) {
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

/** What the API answers when the job has ended and there is no event after `Last-Event-ID`. */
const nothingLeft = 204;

function connect(http: Http, path: string, after: string | undefined, signal: AbortSignal | undefined) {
  return http.request("GET", path, {
    headers: { accept: "text/event-stream", ...(after !== undefined && { "last-event-id": after }) },
    ...(signal && { signal }),
  });
}

async function* eventsOf({ body }: Response): AsyncGenerator<StoredJobEvent, void, void> {
  if (!body) return;
  for await (const { id, data } of body
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(new EventSourceParserStream())) {
    const event = jobEvent.safeParse(JSON.parse(data));
    if (id !== undefined && event.success) yield { ...event.data, id };
  }
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
