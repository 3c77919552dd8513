import { workerView } from "@whittle/contracts";
import { z } from "zod";
import { route, type Route } from "../route.ts";
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
  ];
}
