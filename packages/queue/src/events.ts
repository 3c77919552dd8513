import { jobEvent, parse, type JobEvent, type StoredJobEvent } from "@whittle/contracts";
import { z } from "zod";
import type { Connection, Context } from "./connection.ts";
import { maxEvents } from "./limits.ts";

/** An event's place in its job's stream. */
export const eventId = z.string().regex(/^\d{1,19}-\d{1,19}$/, "must be an event's id as it was sent");

/** @throws AppError `invalid_request` when it is no event's id. */
export function checkAfter(after: string | undefined): void {
  parse(z.object({ after: eventId.optional() }), { after }, "the place in the events");
}

export interface EventQuery {
  /** Place in the stream after which to begin; from the beginning without it. */
  after?: string | undefined;
  types?: JobEvent["type"][] | undefined;
  limit?: number | undefined;
}

/** A job's events in order. @throws AppError `invalid_request` when `after` is no event's id. */
export async function readEvents(
  { redis, keys }: Context,
  id: string,
  query: EventQuery = {},
): Promise<StoredJobEvent[]> {
  checkAfter(query.after);
  const from = query.after === undefined ? "-" : `(${query.after}`;
  const entries = await redis.xrange(keys.events(id), from, "+", "COUNT", maxEvents * 2);
  const events = entries.map(([at, fields]) => Object.assign(jobEvent.parse(JSON.parse(fields[1] ?? "")), { id: at }));
  const wanted = query.types ? events.filter(({ type }) => query.types?.includes(type)) : events;
  return query.limit === undefined ? wanted : wanted.slice(0, query.limit);
}

export function isFinal(event: StoredJobEvent): boolean {
  return event.type === "state" && ["completed", "failed", "cancelled"].includes(event.state);
}

type Listener = (event: StoredJobEvent) => void;

interface Follower {
  after: string | undefined;
  listener: Listener;
  reading: Promise<void>;
}

const clusterLookMs = 2000;

/** Followers of jobs' events: one Redis subscription for all; after an outage each goes on where it was. */
export interface Followers {
  /** Leaves out the end of a run after which the job was retried: the end that `listener` gets is the last. */
  follow(id: string, after: string | undefined, listener: Listener): () => void;
  close(): void;
}

export function createFollowers(context: Context, subscriber: Connection): Followers {
  const followers = new Map<string, Set<Follower>>();

  const catchUp = async (id: string, follower: Follower): Promise<void> => {
    const events = await readEvents(context, id, { after: follower.after });
    for (const event of events) {
      if (!followers.get(id)?.has(follower)) return;
      follower.after = event.id;
      if (isFinal(event) && event !== events.at(-1)) continue;
      follower.listener(event);
    }
  };
  const deliver = (id: string, follower: Follower): void => {
    // What fails because Redis is away is delivered when it is back.
    follower.reading = follower.reading.then(() => catchUp(id, follower)).catch(() => {});
  };
  const deliverAll = (id: string): void => followers.get(id)?.forEach((follower) => deliver(id, follower));

  subscriber.subscribe(context.keys.nudge).catch(() => {});
  subscriber.on("message", (_channel, id: string) => deliverAll(id));
  const lookAgain = (): void => [...followers.keys()].forEach(deliverAll);
  context.redis.on("ready", lookAgain);
  subscriber.on("ready", lookAgain);
  // The client of a cluster does not say when its subscription was broken.
  const looking = subscriber.isCluster ? setInterval(lookAgain, clusterLookMs) : undefined;

  const follow: Followers["follow"] = (id, after, listener) => {
    const follower: Follower = { after, listener, reading: Promise.resolve() };
    const others = followers.get(id) ?? new Set();
    followers.set(id, others.add(follower));
    deliver(id, follower);
    return () => {
      others.delete(follower);
      if (others.size === 0 && followers.get(id) === others) followers.delete(id);
    };
  };
  const close = (): void => {
    clearInterval(looking);
    subscriber.disconnect();
  };
  return { follow, close };
}
