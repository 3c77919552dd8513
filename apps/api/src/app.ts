import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { AppError, isLoopback } from "@whittle/contracts";
import { catalog as everyKind } from "@whittle/jobs/catalog";
import { createQueue, type Catalog, type WebhookProblem } from "@whittle/queue";
import { openStore } from "@whittle/store";
import express, { type Express, type RequestHandler } from "express";
import helmet from "helmet";
import { pino, type Logger } from "pino";
import { createAuthenticator } from "./auth.ts";
import { boardPath, boardRouter } from "./board.ts";
import { takeBytes } from "./bytes.ts";
import { docsRouter } from "./docs.ts";
import type { ApiConfig } from "./env.ts";
import { createMetrics } from "./metrics.ts";
import { openApiDocument } from "./openapi.ts";
import { answerProblems, notFound, onlyJson, onlyMethods, onlyObjects } from "./problem.ts";
import { limitRequests } from "./rate-limit.ts";
import { mount, type Route } from "./route.ts";
import { datasetRoutes } from "./routes/datasets.ts";
import { eventRoutes } from "./routes/events.ts";
import { healthRouter } from "./routes/health.ts";
import { jobRoutes } from "./routes/jobs.ts";
import { kindRoutes } from "./routes/kinds.ts";
import { modelRoutes } from "./routes/models.ts";
import { pipelineRoutes } from "./routes/pipelines.ts";
import { uploadRoutes } from "./routes/uploads.ts";
import { workerRoutes } from "./routes/workers.ts";
import { zooRoutes } from "./routes/zoo.ts";
import type { Services } from "./services.ts";

export interface ApiOptions extends ApiConfig {
  /** The job kinds; by default all of this version. */
  catalog?: Catalog;
  heartbeatMs?: number;
}

export interface Api {
  url: string;
  /** Answers what is under way, ends the event streams, and leaves. */
  close(): Promise<void>;
}

const closeLimitMs = 5000;
const anotherStore =
  "WHITTLE_STORE is another store than that of the API which started before: workers take no jobs until they have this one";

/**
 * Starts the API. It starts and stays up without Redis, and answers 503 until Redis is there.
 * @throws AppError `forbidden` when it would listen beyond this machine without keys; `unavailable` when the address is taken.
 */
export async function createApi(options: ApiOptions): Promise<Api> {
  const { host, port, keys, redisUrl, prefix, catalog = everyKind, heartbeatMs = 15_000 } = options;
  if (keys.length === 0 && !isLoopback(host)) {
    const message = `without WHITTLE_API_KEYS the API listens on loopback only, not on ${host}: set keys, or WHITTLE_API_HOST=127.0.0.1`;
    throw new AppError("forbidden", message);
  }
  const log = pino({ name: "api", level: options.logLevel });
  const store = await openStore(options.store);
  const { webhooks } = options;
  const onProblem = (problem: WebhookProblem): void => log.warn(problem, "a webhook was not delivered");
  const onReplaced = (): void => log.warn({ store: store.location }, anotherStore);
  const queue = createQueue({
    redisUrl,
    prefix,
    catalog,
    store: { id: await store.identity(), onReplaced },
    ...(webhooks && { webhooks: { ...webhooks, onProblem } }),
  });
  const leave = new AbortController();
  const { uploadLimitBytes } = options;
  const auth = createAuthenticator(keys);
  const services = { queue, store, catalog, auth, log, heartbeatMs, uploadLimitBytes, leaving: leave.signal };
  const server = createServer(createApp(services, options));
  try {
    const url = await listen(server, host, port);
    log.info({ url, store: store.location, keys: keys.length }, "listening");
    const close = async (): Promise<void> => {
      leave.abort();
      await stopServer(server);
      await queue.close();
      log.info("closed");
    };
    return { url, close };
  } catch (error) {
    await queue.close();
    throw error;
  }
}

function createApp(
  services: Services,
  options: Pick<ApiOptions, "keys" | "rateLimit" | "bodyLimitBytes" | "bullBoardWritable">,
): Express {
  const { auth, queue, log } = services;
  const routes: Route[] = [
    jobRoutes,
    eventRoutes,
    pipelineRoutes,
    modelRoutes,
    uploadRoutes,
    datasetRoutes,
    workerRoutes,
    zooRoutes,
    kindRoutes,
  ].flatMap((make) => make(services));
  const metrics = createMetrics(queue);
  const app = express();
  app.disable("x-powered-by");
  app.use(logRequests(log), metrics.measure, securityHeaders());
  app.use(healthRouter(services));
  app.use(docsRouter(openApiDocument(routes, { secured: options.keys.length > 0 })));
  app.use([boardPath, "/metrics", "/v1"], limitRequests(auth, options.rateLimit));
  app.use(boardPath, boardRouter(services, { writable: options.bullBoardWritable }));
  app.get("/metrics", auth.bearer("read"), async (_request, response) => {
    response.type(metrics.contentType).send(await metrics.text());
  });
  app.all("/metrics", onlyMethods(["get"]));
  app.use("/v1", auth.bearer("read"));
  const json = express.json({ limit: options.bodyLimitBytes, strict: false });
  mount(app, routes, auth, { json: [onlyJson, json, onlyObjects], bytes: takeBytes() });
  app.use(notFound, answerProblems(log));
  return app;
}

/** The API speaks plain HTTP; whoever puts TLS before it adds the headers of TLS. */
function securityHeaders(): RequestHandler {
  return helmet({
    strictTransportSecurity: false,
    contentSecurityPolicy: { directives: { "upgrade-insecure-requests": null } },
  });
}

function logRequests(log: Logger): RequestHandler {
  return (request, response, next) => {
    const started = performance.now();
    const { method, path } = request;
    response.once("close", () => {
      const ms = Math.round(performance.now() - started);
      const level = path === "/healthz" || path === "/readyz" || path === "/metrics" ? "debug" : "info";
      log[level]({ method, path, status: response.statusCode, ms }, "request");
    });
    next();
  };
}

async function listen(server: Server, host: string, port: number): Promise<string> {
  server.listen(port, host);
  try {
    await once(server, "listening");
  } catch (cause) {
    throw new AppError("unavailable", `the API can't listen on ${host}:${port}: ${String(cause)}`, { cause });
  }
  const address = server.address();
  const bound = typeof address === "object" && address ? address.port : port;
  return `http://${host.includes(":") ? `[${host}]` : host}:${bound}`;
}

async function stopServer(server: Server): Promise<void> {
  const closed = once(server, "close");
  server.close();
  server.closeIdleConnections();
  const force = setTimeout(() => server.closeAllConnections(), closeLimitMs);
  await closed;
  clearTimeout(force);
}
