import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry as MetricsRegistry } from "prom-client";
import type { RequestHandler, Response } from "express";
import type { Pool } from "./engine/pool.ts";
import type { Registry } from "./models/registry.ts";

export interface ServeMetrics {
  /** Counts and times the requests of a protocol, or of the `kind` that is in a response's locals. */
  watch(protocol: string): RequestHandler;
  batch(model: string, rows: number): void;
  text(): Promise<string>;
  readonly contentType: string;
}

/** Prometheus metrics of one server; gauges are read off `registry` and `pool` when asked for. */
export function createMetrics(sources: () => { registry: Registry; pool: Pool }): ServeMetrics {
  const register = new MetricsRegistry();
  const registers = [register];
  collectDefaultMetrics({ register });
  const seconds = new Histogram({
    name: "whittle_serve_request_seconds",
    help: "Time from a request's arrival to the end of its answer.",
    labelNames: ["protocol", "model", "status"],
    buckets: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5],
    registers,
  });
  const requests = new Counter({
    name: "whittle_serve_requests_total",
    help: "Requests answered.",
    labelNames: ["protocol", "model", "status"],
    registers,
  });
  const batches = new Histogram({
    name: "whittle_serve_batch_samples",
    help: "Samples in one call of a model.",
    labelNames: ["model"],
    buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256],
    registers,
  });
  addGauges(register, sources);
  return {
    watch: (protocol) => (_request, response, next) => {
      const startedAt = performance.now();
      response.once("finish", () => {
        // Only a model that was found names a series: callers must not be able to make new ones.
        const model = String(response.locals["model"] ?? "");
        const labels = { protocol: kindOf(response) ?? protocol, model, status: String(response.statusCode) };
        requests.inc(labels);
        seconds.observe(labels, (performance.now() - startedAt) / 1000);
      });
      next();
    },
    batch: (model, rows) => batches.observe({ model }, rows),
    text: () => register.metrics(),
    contentType: register.contentType,
  };
}

/** Of requests that take so much longer than predictions that they would spoil their times. */
function kindOf({ locals }: Response): string | undefined {
  return typeof locals["kind"] === "string" ? locals["kind"] : undefined;
}

function addGauges(register: MetricsRegistry, sources: () => { registry: Registry; pool: Pool }): void {
  register.registerMetric(
    new Gauge({
      name: "whittle_serve_loaded_models",
      help: "Versions that answer now.",
      labelNames: ["model", "version"],
      registers: [],
      collect() {
        this.reset();
        for (const { name, version } of sources().registry.serving) this.set({ model: name, version }, 1);
      },
    }),
  );
  register.registerMetric(
    new Gauge({
      name: "whittle_serve_waiting_requests",
      help: "Requests that wait for an inference thread.",
      labelNames: ["model"],
      registers: [],
      collect() {
        this.reset();
        for (const { name, waiting } of sources().registry.serving) this.inc({ model: name }, waiting);
      },
    }),
  );
  register.registerMetric(
    new Gauge({
      name: "whittle_serve_threads_ready",
      help: "Inference threads that are up.",
      registers: [],
      collect() {
        this.set(sources().pool.ready);
      },
    }),
  );
}
