import type { RequestHandler } from "express";
import type { ArtifactStore } from "@whittle/store";
import type { Gate } from "../engine/gate.ts";
import type { Loader } from "../models/loader.ts";
import type { Registry } from "../models/registry.ts";

/** What the protocols work with. */
export interface ProtocolContext {
  store: ArtifactStore;
  registry: Registry;
  loader: Loader;
  /** Whether the server can answer for everything that it is to serve. */
  isReady: () => boolean;
  /** How many explanations run at a time, how many samples the model may be run on for one, and, at most, in one call of it. */
  explanations: { gate: Gate; maxEvaluations: number; maxBatch: number };
  /** Reads a whole body as bytes, within the limit. */
  readBody: RequestHandler;
}
