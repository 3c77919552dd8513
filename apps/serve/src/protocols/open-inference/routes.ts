import { Router, type Request, type RequestHandler, type Response } from "express";
import type { Servable } from "../../engine/servable.ts";
import { only } from "../../errors.ts";
import { formatSelection } from "../../models/selector.ts";
import { bodyOf } from "../body.ts";
import type { ProtocolContext } from "../context.ts";
import { selectionOf, type ModelPath } from "../path.ts";
import { explainRequest } from "./explain.ts";
import { repositoryRoutes } from "./repository.ts";
import { readHeaderLength, readInferRequest, type InferRequest } from "./request.ts";
import { writeInferResponse } from "./response.ts";

const MODEL = "/v2/models/:model{/versions/:version}";

/** The Open Inference Protocol v2 over REST, with the binary tensor data and model repository extensions. */
export function openInference(context: ProtocolContext, server: { name: string; version: string }): Router {
  const { registry, isReady, readBody, store } = context;
  const router = Router();

  const ready: RequestHandler<ModelPath> = async (request, response) => {
    const selection = selectionOf(request.params);
    const isUp = await registry.isReady(selection);
    response.status(statusOf(isUp)).json({ name: formatSelection(selection), ready: isUp });
  };
  const describeModel: RequestHandler<ModelPath> = async (request, response) => {
    const selection = selectionOf(request.params);
    const { versions } = await store.model(selection.name);
    await registry.use(selection, (servable) => response.json(metadata(servable, versions)));
  };
  const inferModel: RequestHandler<ModelPath> = (request, response) =>
    registry.use(selectionOf(request.params), (servable) => infer(servable, request, response));

  const { gate, ...limits } = context.explanations;
  const explainModel: RequestHandler<ModelPath> = (request, response) => {
    response.locals["kind"] = "explanation";
    return registry.use(selectionOf(request.params), (servable) =>
      gate(async () => {
        const asked = readRequest(servable, request, response);
        response.json(await explainRequest(servable, asked, limits, () => response.closed));
      }),
    );
  };

  router.get("/v2", (_request, response) => {
    response.json({ ...server, extensions: ["binary_tensor_data", "model_repository"] });
  });
  router.get("/v2/health/live", (_request, response) => {
    response.json({ live: true });
  });
  router.get("/v2/health/ready", (_request, response) => {
    response.status(statusOf(isReady())).json({ ready: isReady() });
  });
  router.all(["/v2", "/v2/health/live", "/v2/health/ready"], only("GET"));
  router.route(`${MODEL}/ready`).get(ready).all(only("GET"));
  router.route(MODEL).get(describeModel).all(only("GET"));
  router.route(`${MODEL}/infer`).post(readBody, inferModel).all(only("POST"));
  router.route(`${MODEL}/explain`).post(readBody, explainModel).all(only("POST"));
  router.use(repositoryRoutes(context));
  return router;
}

/** The protocol asks for a 4xx when the answer is no. */
const statusOf = (isUp: boolean) => (isUp ? 200 : 400);

function readRequest(servable: Servable, request: Request<ModelPath>, response: Response): InferRequest {
  response.locals["model"] = servable.name;
  servable.checkRoom();
  const headerLength = readHeaderLength(request.get("Inference-Header-Content-Length"));
  return readInferRequest(bodyOf(request), headerLength, servable.specs);
}

async function infer(servable: Servable, request: Request<ModelPath>, response: Response): Promise<void> {
  const asked = readRequest(servable, request, response);
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
