import type { Catalog, JobQueue } from "@whittle/queue";
import type { ArtifactStore } from "@whittle/store";
import type { Logger } from "pino";
import type { Authenticator } from "./auth.ts";

/** What the routes work with. */
export interface Services {
  queue: JobQueue;
  store: ArtifactStore;
  catalog: Catalog;
  auth: Authenticator;
  log: Logger;
  /** How often an idle event stream is kept alive, in ms. */
  heartbeatMs: number;
  /** The most bytes that an upload may have, packed and unpacked. */
  uploadLimitBytes: number;
  /** Aborted when the API leaves: event streams end then. */
  leaving: AbortSignal;
}
