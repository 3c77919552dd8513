import { Router, type Request, type Response } from "express";
import type { Servable } from "../../engine/servable.ts";
import { formatSelection } from "../../models/selector.ts";
import { bodyOf } from "../body.ts";
import type { ProtocolContext } from "../context.ts";
import { selectionOf, type ModelPath } from "../path.ts";
import { repositoryRoutes } from "./repository.ts";
import { readHeaderLength, readInferRequest } from "./request.ts";
import { writeInferResponse } from "./response.ts";

const MODEL = "/v2/models/:model{/versions/:version}";

/** The Open Inference Protocol v2 over REST, with the binary tensor data and model repository extensions. */
export function openInference(context: ProtocolContext, server: { name: string; version: string }): Router {
  const { registry, isReady, readBody, store } = context;
  const router = Router();

  router.get("/v2", (_request, response) => {
    response.json({ ...server, extensions: ["binary_tensor_data", "model_repository"] });
  });
  router.get("/v2/health/live", (_request, response) => {
    response.json({ live: true });
  });
  // The protocol asks for a 4xx when the answer is no.
  router.get("/v2/health/ready", (_request, response) => {
    response.status(isReady() ? 200 : 400).json({ ready: isReady() });
  });
  router.get(`${MODEL}/ready`, async (request: Request<ModelPath>, response) => {
    const selection = selectionOf(request.params);
    const ready = await registry.isReady(selection);
    response.status(ready ? 200 : 400).json({ name: formatSelection(selection), ready });
  });
  router.get(MODEL, async (request: Request<ModelPath>, response) => {
    const selection = selectionOf(request.params);
    const { versions } = await store.model(selection.name);
    await registry.use(selection, (servable) => response.json(metadata(servable, versions)));
  });
  router.post(`${MODEL}/infer`, readBody, async (request: Request<ModelPath>, response) => {
    await registry.use(selectionOf(request.params), (servable) => infer(servable, request, response));
  });
  router.use(repositoryRoutes(context));
  return router;
}

async function infer(servable: Servable, request: Request<ModelPath>, response: Response): Promise<void> {
  response.locals["model"] = servable.name;
  const headerLength = readHeaderLength(request.get("Inference-Header-Content-Length"));
  const asked = readInferRequest(bodyOf(request), headerLength, servable.specs);
  const { headers, body } = writeInferResponse(servable, asked, await servable.infer(asked.inputs));
  response.set(headers).send(body);
}

/** `parameters` tell what a caller must know beyond the protocol: how to prepare values, and what the classes are called. */
function metadata({ name, digest, manifest, specs }: Servable, versions: number[]) {
  const { preprocessing, labels } = manifest.config;
  return {
    name,
    versions: versions.map(String),
    platform: "onnx_onnxv1",
    inputs: specs.inputs,
    outputs: specs.outputs,
    parameters: { digest, preprocessing, ...(labels && { labels }) },
  };
}
