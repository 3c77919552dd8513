import { parse } from "@whittle/contracts";
import { Router, type RequestHandler } from "express";
import { z } from "zod";
import type { VersionStatus } from "../../models/loader.ts";
import { only } from "../../errors.ts";
import { bodyOf, readJson } from "../body.ts";
import type { ProtocolContext } from "../context.ts";
import { selectionOf, type ModelPath } from "../path.ts";

const indexRequest = z.object({ ready: z.boolean().default(false) });

/** The model repository extension: what there is, and loading and unloading it. */
export function repositoryRoutes({ store, registry, loader, readBody }: ProtocolContext): Router {
  const router = Router();

  const index: RequestHandler = async (request, response) => {
    const body = bodyOf(request);
    const { ready } = parse(indexRequest, body.byteLength > 0 ? readJson(body) : {}, "The index request");
    const statuses = new Map(loader.statuses().map((status) => [`${status.name}@${status.version}`, status]));
    const models = (await store.models()).flatMap(({ name, versions }) =>
      versions.map((version) => indexEntry(name, version, statuses.get(`${name}@${version}`))),
    );
    response.json(models.filter(({ state }) => !ready || state === "READY"));
  };
  const load: RequestHandler<ModelPath> = async (request, response) => {
    await registry.load(selectionOf(request.params));
    response.json({});
  };
  const unload: RequestHandler<ModelPath> = async (request, response) => {
    await registry.unload(selectionOf(request.params));
    response.json({});
  };

  router.route("/v2/repository/index").post(readBody, index).all(only("POST"));
  router.route("/v2/repository/models/:model/load").post(load).all(only("POST"));
  router.route("/v2/repository/models/:model/unload").post(unload).all(only("POST"));
  return router;
}

const indexStates = { LOADING: "LOADING", AVAILABLE: "READY", UNLOADING: "UNLOADING", END: "UNAVAILABLE" } as const;

function indexEntry(name: string, version: number, status: VersionStatus | undefined) {
  const reason = status?.error?.message ?? (status && status.state !== "END" ? "" : "not loaded");
  return { name, version: String(version), state: indexStates[status?.state ?? "END"], reason };
}
