import { Router } from "express";
import { onlyMethods } from "../problem.ts";
import type { Services } from "../services.ts";

/** For whoever watches the process: `/healthz` says that it runs, `/readyz` that it can take jobs. Both ask for no key. */
export function healthRouter({ queue }: Services): Router {
  const router = Router();
  router.get("/healthz", (_request, response) => void response.json({ status: "ok" }));
  router.get("/readyz", async (_request, response) => {
    await queue.ping();
    response.json({ status: "ready" });
  });
  router.all(["/healthz", "/readyz"], onlyMethods(["get"]));
  return router;
}
