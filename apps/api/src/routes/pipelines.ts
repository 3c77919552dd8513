import { pipelineRequest } from "@whittle/contracts";
import { checkDatasets } from "../dataset-references.ts";
import { idempotencyHeader, idempotencyKey } from "../idempotency.ts";
import { checkModels } from "../model-references.ts";
import { param, route, routeWith, type Route } from "../route.ts";
import { pipelineView } from "../schemas.ts";
import type { Services } from "../services.ts";
import { claimUploads } from "../upload-references.ts";

const tag = "pipelines";

const example = {
  steps: [
    { step: "teacher", kind: "train", params: { family: "cnn", dataset: "fashion-mnist" } },
    { step: "student", kind: "distill", params: { teacher: "$teacher", family: "mlp" } },
    {
      step: "small",
      kind: "quantize",
      params: { model: "$student" },
      output: { name: "fashion-student", alias: "prod" },
    },
  ],
};

export function pipelineRoutes(services: Services): Route[] {
  const { queue, store, catalog, auth } = services;
  return [
    routeWith(pipelineRequest.strict(), {
      method: "post",
      path: "/v1/pipelines",
      tag,
      summary: "Submit jobs that take one another's models",
      description: "A parameter that names a model may be `$step`, the model that the step of that name makes.",
      headers: idempotencyHeader,
      status: 202,
      example,
      answer: pipelineView,
      handle: async ({ input, request, response }) => {
        const referring = input.steps.map(({ kind, params }, i) => ({ kind, params, at: `steps.${i}.params` }));
        await checkModels(store, catalog, referring);
        await checkDatasets(store, catalog, referring);
        const [submittedBy, key] = [auth.actor(request), idempotencyKey(request)];
        const submission = { request: input, submittedBy, idempotencyKey: key };
        const pipeline = await claimUploads(services, referring, () => queue.submitPipeline(submission));
        response.location(`/v1/pipelines/${pipeline.id}`);
        return pipeline;
      },
    }),
    route({
      method: "get",
      path: "/v1/pipelines/:id",
      tag,
      summary: "Show a pipeline with its steps",
      answer: pipelineView,
      handle: ({ request }) => queue.pipeline(param(request, "id")),
    }),
    route({
      method: "post",
      path: "/v1/pipelines/:id/cancel",
      tag,
      summary: "Cancel the steps of a pipeline that have not ended; a running one ends a little later",
      answer: pipelineView,
      handle: ({ request }) => queue.cancelPipeline(param(request, "id")),
    }),
  ];
}
