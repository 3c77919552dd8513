/** Load generator: sends each load that it is told to, and answers with what it found. */
import { Pool } from "undici";
import { percentile } from "../../statistics.ts";

/** Requests over connections that are kept, each of which sends the next when the last is answered. */
export interface Load {
  url: string;
  path: string;
  headers: Record<string, string>;
  /** Sent in turn. */
  bodies: Uint8Array[];
  connections: number;
  /** What is answered before is not counted. */
  warmUpMs: number;
  /** At least so long, and longer where too little is answered for figures. */
  ms: number;
}

/** What a busy machine answers only in more than the time asked for. */
const leastAnswers = 100;

/** From before a request is written to the end of its answer. */
export interface Latency {
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
}

export interface Found {
  /** All that were answered, while it warmed up, too. */
  total: number;
  /** Answered with 200. */
  answered: Latency;
  /** Answered with 503, of which `untold` came without Retry-After; absent when there were none. */
  refused?: Latency & { untold: number };
}

interface Answer {
  status: number;
  retryAfter: boolean;
}

process.on("message", (load: Load) => {
  void run(load).then((found) => process.send?.(found));
});
process.once("disconnect", () => process.exit());

async function run({ url, bodies, connections, warmUpMs, ms, ...request }: Load): Promise<Found> {
  const pool = new Pool(url, { connections, pipelining: 1 });
  const latencies: Record<number, number[]> = { 200: [], 503: [] };
  const begin = performance.now() + warmUpMs;
  let ended: number | undefined;
  let sent = 0;
  let total = 0;
  let untold = 0;
  const connection = async (): Promise<void> => {
    for (;;) {
      const body = bodies[sent++ % bodies.length] ?? new Uint8Array();
      const sentAt = performance.now();
      const { status, retryAfter } = await send(pool, request, body);
      const now = performance.now();
      total += 1;
      const known = latencies[status];
      if (!known) throw new Error(`${url}${request.path} answered ${status}`);
      if (ended !== undefined) return;
      if (now < begin) continue;
      known.push(now - sentAt);
      if (status === 503 && !retryAfter) untold += 1;
      if (now >= begin + ms && (latencies[200]?.length ?? 0) >= leastAnswers) ended = now;
    }
  };
  await Promise.all(Array.from({ length: connections }, connection));
  await pool.close();
  const [answered = [], refused = []] = Object.values(latencies);
  const measuredMs = (ended ?? performance.now()) - begin;
  return {
    total,
    answered: summarize(answered, measuredMs),
    ...(refused.length > 0 && { refused: { ...summarize(refused, measuredMs), untold } }),
  };
}

function send(pool: Pool, request: Pick<Load, "path" | "headers">, body: Uint8Array): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let answer: Answer | undefined;
    pool.dispatch(
      { ...request, method: "POST", body },
      {
        onRequestStart: () => {},
        onResponseStart: (_controller, status, headers) => {
          answer = { status, retryAfter: headers["retry-after"] !== undefined };
        },
        onResponseEnd: () => answer && resolve(answer),
        onResponseError: (_controller, error) => reject(error),
      },
    );
  });
}

function summarize(latencies: number[], ms: number): Latency {
  return {
    perSecond: (latencies.length * 1000) / ms,
    p50Ms: percentile(latencies, 50),
    p99Ms: percentile(latencies, 99),
  };
}
