import type { RequestHandler } from "express";
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import type { JobQueue } from "@whittle/queue";

const buckets = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/** Prometheus metrics: of this process, of the HTTP requests it answers, and of the queue, which are read when they are asked for. */
export function createMetrics(queue: JobQueue): {
  measure: RequestHandler;
  text(): Promise<string>;
  contentType: string;
} {
  const registry = new Registry();
  const registers = [registry];
  // Ten times a second, not a hundred as by default: that used most of an idle API's CPU time, beside the trainings of the same machine.
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 100 });
  const seconds = new Histogram({
    name: "whittle_http_request_duration_seconds",
    help: "Time to answer",
    labelNames: ["method", "route", "status"],
    buckets,
    registers,
  });
  const collectQueue = queueMetrics(queue, registers);

  const measure: RequestHandler = (request, response, next) => {
    const stop = seconds.startTimer();
    response.once("close", () => {
      const route: unknown = request.route?.path;
      stop({ method: request.method, route: typeof route === "string" ? route : "none", status: response.statusCode });
    });
    next();
  };
  const text = async (): Promise<string> => {
    await collectQueue();
    return registry.metrics();
  };
  return { measure, text, contentType: registry.contentType };
}

function queueMetrics(queue: JobQueue, registers: Registry[]): () => Promise<void> {
  const up = new Gauge({ name: "whittle_redis_up", help: "Whether Redis answers", registers });
  const jobs = new Gauge({
    name: "whittle_jobs",
    help: "Jobs that have not ended",
    labelNames: ["kind", "state"],
    registers,
  });
  const ready = new Gauge({
    name: "whittle_jobs_ready",
    help: "Jobs that a further worker could take at once: scale workers by it",
    labelNames: ["kind"],
    registers,
  });
  const finished = new Counter({
    name: "whittle_jobs_finished_total",
    help: "Jobs that have ended",
    labelNames: ["kind", "state"],
    registers,
  });
  const oldest = new Gauge({
    name: "whittle_jobs_oldest_waiting_seconds",
    help: "Age of the job that has waited longest",
    labelNames: ["kind"],
    registers,
  });
  const workers = new Gauge({
    name: "whittle_workers",
    help: "Workers that take this kind",
    labelNames: ["kind"],
    registers,
  });

  return async () => {
    for (const metric of [jobs, ready, finished, oldest, workers]) metric.reset();
    const read = await Promise.all([queue.counts(), queue.workers()]).catch(() => undefined);
    up.set(read ? 1 : 0);
    const [counts, present] = read ?? [{}, []];
    for (const [kind, count] of Object.entries(counts)) {
      for (const state of ["waiting", "blocked", "running"] as const) jobs.set({ kind, state }, count[state]);
      for (const state of ["completed", "failed", "cancelled"] as const) finished.inc({ kind, state }, count[state]);
      ready.set({ kind }, count.ready);
      oldest.set({ kind }, count.oldestWaitingSeconds);
      workers.set({ kind }, present.filter((worker) => !worker.draining && worker.kinds.includes(kind)).length);
    }
  };
}
