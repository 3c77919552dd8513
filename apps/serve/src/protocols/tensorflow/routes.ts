import { AppError, toAppError } from "@whittle/contracts";
import { Router, type Request, type RequestHandler, type Response } from "express";
import type { Servable } from "../../engine/servable.ts";
import type { VersionStatus } from "../../models/loader.ts";
import { only } from "../../errors.ts";
import { formatSelection, selectVersion, type Selection } from "../../models/selector.ts";
import { bodyOf } from "../body.ts";
import type { ProtocolContext } from "../context.ts";
import { selectionOf, type ModelPath } from "../path.ts";
import { metadataOf } from "./metadata.ts";
import { readPredictRequest, writePredictResponse } from "./predict.ts";

const MODEL = ["/v1/models/:model", "/v1/models/:model/versions/:version", "/v1/models/:model/labels/:label"];

const paths = (end: string) => MODEL.map((path) => `${path}${end}`);

/** TensorFlow Serving's REST API; its labels are our aliases. */
export function tensorflowServing({ registry, loader, store, readBody }: ProtocolContext): Router {
  const router = Router();

  const metadata: RequestHandler<ModelPath> = (request, response) =>
    answering(selectionOf(request.params), (selection) =>
      registry.use(selection, (servable) => response.json(metadataOf(servable))),
    );
  const status: RequestHandler<ModelPath> = (request, response) =>
    answering(selectionOf(request.params), async (selection) => {
      const version = selectVersion(await store.model(selection.name), selection.selector);
      await registry.isReady(selection);
      const statuses = loader.statuses().filter(({ name }) => name === selection.name);
      const asked = statuses.filter((each) => selection.selector.kind === "default" || each.version === version);
      const unknown = [{ name: selection.name, version, state: "START" as const }];
      response.json({ model_version_status: (asked.length > 0 ? asked : unknown).map(versionStatus) });
    });
  const predictModel: RequestHandler<ModelPath> = (request, response) =>
    answering(selectionOf(request.params), (selection) =>
      registry.use(selection, (servable) => predict(servable, request, response)),
    );

  router.route(paths("/metadata")).get(metadata).all(only("GET"));
  router.route(paths("\\:predict")).post(readBody, predictModel).all(only("POST"));
  router
    .route([...paths("\\:classify"), ...paths("\\:regress")])
    .post(() => {
      throw new AppError("unsupported", "classify and regress are for models that take tf.Example: use :predict");
    })
    .all(only("POST"));
  // After those with a verb, which also are names to it.
  router
    .route(MODEL)
    .get(status)
    .all(unlessVerb(only("GET")));
  return router;
}

/** `name:verb` is no model: with a verb that there is not, it is no path. */
function unlessVerb(handler: RequestHandler): RequestHandler {
  return (request, response, next) => (request.path.includes(":") ? next() : handler(request, response, next));
}

async function predict(servable: Servable, request: Request<ModelPath>, response: Response): Promise<void> {
  response.locals["model"] = servable.name;
  servable.checkRoom();
  const { format, inputs } = readPredictRequest(bodyOf(request), servable.specs);
  const results = await servable.infer(inputs);
  response.type("application/json").send(writePredictResponse(format, servable.specs, results));
}

function versionStatus({ version, state, error }: Omit<VersionStatus, "state"> & { state: string }) {
  const status = { error_code: error ? "UNKNOWN" : "OK", error_message: error?.message ?? "" };
  return { version: String(version), state, status };
}

/** Words what isn't there as TensorFlow Serving does: clients look for it. */
async function answering(selection: Selection, work: (selection: Selection) => Promise<unknown>): Promise<void> {
  try {
    await work(selection);
  } catch (error) {
    const failure = toAppError(error);
    if (failure.code !== "not_found") throw failure;
    throw new AppError("not_found", `Servable not found for request: ${servableName(selection)}: ${failure.message}`);
  }
}

function servableName({ name, selector }: Selection): string {
  if (selector.kind === "version") return `Specific(${name}, ${selector.version})`;
  return selector.kind === "alias" ? `Label(${formatSelection({ name, selector })})` : `Latest(${name})`;
}
