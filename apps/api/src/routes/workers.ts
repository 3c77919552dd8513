import { workerView } from "@whittle/contracts";
import { z } from "zod";
import { param, route, type Route } from "../route.ts";
import type { Services } from "../services.ts";

export function workerRoutes({ queue }: Services): Route[] {
  return [
    route({
      method: "get",
      path: "/v1/workers",
      tag: "workers",
      summary: "List the workers that are there, with what they run on and what they run",
      answer: z.object({ workers: z.array(workerView) }),
      handle: async () => ({ workers: await queue.workers() }),
    }),
    route({
      method: "post",
      path: "/v1/workers/:id/drain",
      tag: "workers",
      summary: "Ask a worker to take no more jobs and to give back those it runs, which uses none of their attempts",
      description: "It stays, and shows itself as draining, until it is stopped.",
      scope: "admin",
      answer: workerView,
      handle: ({ request }) => queue.drainWorker(param(request, "id")),
    }),
  ];
}
