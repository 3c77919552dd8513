import { jobOptions, jobState } from "@whittle/contracts";
import { eventId } from "@whittle/queue";
import { z } from "zod";
import { checkDatasets } from "../dataset-references.ts";
import { checkModels } from "../model-references.ts";
import { idempotencyHeader, idempotencyKey } from "../idempotency.ts";
import { querySchema } from "../query.ts";
import { param, route, routeWith, type Route } from "../route.ts";
import { eventList, jobPage, jobView } from "../schemas.ts";
import type { Services } from "../services.ts";
import { claimUploads } from "../upload-references.ts";

const tag = "jobs";
const page = querySchema({
  after: eventId.optional().meta({ description: "Only what came after this id." }),
  limit: z.coerce.number().int().min(1).max(10_000).default(1000),
});
const submission = jobOptions.extend({ params: z.unknown().optional() }).strict();

export function jobRoutes(services: Services): Route[] {
  return [submitRoute(services), ...readRoutes(services), ...changeRoutes(services)];
}

function submitRoute(services: Services): Route {
  const { queue, store, catalog, auth } = services;
  const documentedAs = Object.values(catalog).map(({ kind, title, description, params, example }) => {
    const input = jobOptions.extend({ params }).strict();
    return { path: `/v1/jobs/${kind}`, summary: title, description, input, example: { params: example } };
  });
  return routeWith(submission, {
    method: "post",
    path: "/v1/jobs/:kind",
    tag,
    summary: "Submit a job",
    headers: idempotencyHeader,
    status: 202,
    answer: jobView,
    documentedAs,
    handle: async ({ input: { params = {}, ...options }, request, response }) => {
      const kind = param(request, "kind");
      const referring = [{ kind, params, at: "params" }];
      await checkModels(store, catalog, referring);
      await checkDatasets(store, catalog, referring);
      const [submittedBy, key] = [auth.actor(request), idempotencyKey(request)];
      const newJob = { kind, params, options, submittedBy, idempotencyKey: key };
      const job = await claimUploads(services, referring, () => queue.submit(newJob));
      response.location(`/v1/jobs/${job.id}`);
      return job;
    },
  });
}

function readRoutes({ queue, catalog }: Services): Route[] {
  const listing = querySchema({
    kind: z.enum(Object.keys(catalog)).optional(),
    state: jobState.optional(),
    limit: z.coerce.number().int().min(1).max(200).default(50),
    cursor: z.string().optional().meta({ description: "The cursor of the page before." }),
  });
  return [
    routeWith(listing, {
      method: "get",
      path: "/v1/jobs",
      tag,
      summary: "List jobs, newest first",
      answer: jobPage,
      handle: ({ input }) => queue.list(input),
    }),
    route({
      method: "get",
      path: "/v1/jobs/:id",
      tag,
      summary: "Show a job",
      answer: jobView,
      handle: ({ request }) => queue.get(param(request, "id")),
    }),
    routeWith(page, {
      method: "get",
      path: "/v1/jobs/:id/logs",
      tag,
      summary: "What a job has logged",
      answer: z.object({ logs: eventList }),
      handle: async ({ input, request }) => ({
        logs: await queue.events(param(request, "id"), { ...input, types: ["log"] }),
      }),
    }),
    routeWith(page, {
      method: "get",
      path: "/v1/jobs/:id/metrics",
      tag,
      summary: "What a job has measured over time",
      answer: z.object({ metrics: eventList }),
      handle: async ({ input, request }) => ({
        metrics: await queue.events(param(request, "id"), { ...input, types: ["metrics"] }),
      }),
    }),
  ];
}

function changeRoutes(services: Services): Route[] {
  const { queue } = services;
  return [
    route({
      method: "post",
      path: "/v1/jobs/:id/cancel",
      tag,
      summary: "Cancel a job; a running one ends a little later",
      answer: jobView,
      handle: ({ request }) => queue.cancel(param(request, "id")),
    }),
    route({
      method: "post",
      path: "/v1/jobs/:id/retry",
      tag,
      summary: "Run a failed or cancelled job again, with the steps of its pipeline that ended because it did",
      description:
        "Those are later steps that failed because of it, and those that were cancelled with the whole pipeline. A step that was cancelled " +
        "by itself stays so.",
      answer: jobView,
      handle: async ({ request }) => {
        const { id, kind, params } = await queue.get(param(request, "id"));
        return claimUploads(services, [{ kind, params, at: "params" }], () => queue.retry(id));
      },
    }),
  ];
}
