import { createBullBoard } from "@bull-board/api";
import { BullMQAdapter } from "@bull-board/api/bullMQAdapter";
import { ExpressAdapter } from "@bull-board/express";
import { Router } from "express";
import type { Services } from "./services.ts";

export const boardPath = "/admin/queues";

/** Bull Board. What it changes bypasses the jobs' records, therefore it only shows, unless it is made writable on purpose. */
export function boardRouter({ queue, auth }: Services, options: { writable: boolean }): Router {
  const adapter = new ExpressAdapter().setBasePath(boardPath);
  createBullBoard({
    queues: queue.bullQueues().map((each) => new BullMQAdapter(each, { readOnlyMode: !options.writable })),
    serverAdapter: adapter,
    options: { uiConfig: { boardTitle: "Whittle" } },
  });
  const router = Router();
  router.use(auth.basic("admin"), async (_request, _response, next) => {
    await queue.ping();
    next();
  });
  router.use(adapter.getRouter());
  return router;
}
