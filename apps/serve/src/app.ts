import express, { type Express, type RequestHandler } from "express";
import helmet from "helmet";
import type { ApiKey } from "@whittle/contracts";
import type { Logger } from "pino";
import { createGuard } from "./auth.ts";
import { errorHandler, noSuchPath, only } from "./errors.ts";
import type { ServeMetrics } from "./metrics.ts";
import type { ProtocolContext } from "./protocols/context.ts";
import { openInference } from "./protocols/open-inference/routes.ts";
import { tensorflowServing } from "./protocols/tensorflow/routes.ts";

export interface AppOptions {
  context: Omit<ProtocolContext, "readBody">;
  metrics: ServeMetrics;
  logger: Logger;
  bodyLimit: number;
  /** Where it listens. */
  host: string;
  /** Who sends one of these may ask; with none everybody may but web pages. */
  keys: ApiKey[];
  /** What is to be served and is not, with the reason. */
  missing: () => string[];
  version: string;
}

/** The HTTP side of the serving app: both protocols, health and metrics. */
export function createApp({ context, metrics, logger, bodyLimit, host, keys, missing, version }: AppOptions): Express {
  const app = express();
  const protocols: ProtocolContext = {
    ...context,
    readBody: express.raw({ type: () => true, limit: bodyLimit }),
  };
  const showMetrics: RequestHandler = async (_request, response) => {
    response.type(metrics.contentType).send(await metrics.text());
  };
  app.set("etag", false);
  app.use(helmet());
  app.get("/healthz", (_request, response) => {
    response.json({ status: "ok" });
  });
  app.get("/readyz", (_request, response) => {
    const ready = context.isReady();
    response.status(ready ? 200 : 503).json({ ready, missing: missing() });
  });
  app.all(["/healthz", "/readyz"], only("GET"));
  app.use("/v2", metrics.watch("open-inference"));
  app.use("/v1", metrics.watch("tensorflow"));
  const guard = createGuard(keys, host);
  app.use(guard("read"));
  app.post("/v2/repository/models/:model/:action", guard("admin"));
  app.route("/metrics").get(showMetrics).all(only("GET"));
  app.use(openInference(protocols, { name: "whittle-serve", version }));
  app.use(tensorflowServing(protocols));
  app.use(noSuchPath);
  app.use(errorHandler(logger, bodyLimit));
  return app;
}
