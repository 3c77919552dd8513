import {
  AppError,
  type AliasRecord,
  type DatasetRecord,
  type DeletionRecord,
  type JobView,
  type Manifest,
  type PipelineView,
  type StoredJobEvent,
  type VersionRecord,
  type WorkerView,
  type pipelineRequest,
} from "@whittle/contracts";
import type { z } from "zod";
import { explainBody, inferBody } from "./bodies.ts";
import { isFinal, jobEvents, type EventOptions } from "./events.ts";
import { Http } from "./http.ts";
import { allPages } from "./pages.ts";
import { modelPath, segment } from "./paths.ts";
import type {
  DatasetView,
  ExplainParameters,
  ExplainResponse,
  FamilyView,
  InferInput,
  InferResponse,
  JobFilter,
  JobPage,
  Kind,
  KindView,
  LineageNode,
  ModelView,
  Params,
  ServedModel,
  Step,
  SubmitOptions,
} from "./types.ts";

export interface ClientOptions {
  /** The API: `http://127.0.0.1:7700`. */
  url: string;
  /** One of the API's keys, where it asks for one. */
  key?: string;
  /** One of the serving app's keys, where it asks for one; `key` when it is not given. */
  serveKey?: string;
  /** The serving app, for {@link WhittleClient.predict}: `http://127.0.0.1:7701`. */
  serveUrl?: string;
  /**
   * How long a request may take until the end of its answer, in ms; 30,000 when it is not given. Then it throws `unavailable`. Events,
   * uploads, downloads and explanations have no such limit.
   */
  timeoutMs?: number;
}

/** As many as the API gives in one answer, which is as many as are kept of one job. */
const allEvents = 10_000;

type LogEvent = Extract<StoredJobEvent, { type: "log" }>;
type MetricsEvent = Extract<StoredJobEvent, { type: "metrics" }>;

/** Client of Whittle's HTTP API. Every method throws the AppError that the server answered, or `unavailable` when it doesn't answer. */
export class WhittleClient {
  readonly #api: Http;
  readonly #serve: Http | undefined;

  constructor({ url, key, serveKey = key, serveUrl, timeoutMs }: ClientOptions) {
    this.#api = new Http({ url, what: "the API", key, timeoutMs });
    const serving = { what: "the serving app", key: serveKey, timeoutMs };
    this.#serve = serveUrl === undefined ? undefined : new Http({ url: serveUrl, ...serving });
  }

  /** Enqueues a job and returns at once. */
  submit<K extends Kind>(kind: K, params: Params<K>, options: SubmitOptions = {}): Promise<JobView> {
    return this.send(kind, params, options);
  }

  /** As {@link submit}, for a kind that is known only when the program runs. */
  send(kind: string, params: unknown, { idempotencyKey, ...options }: SubmitOptions = {}): Promise<JobView> {
    const body = { params, ...options };
    return this.#api.json("POST", `/v1/jobs/${segment(kind)}`, { body, headers: idempotency(idempotencyKey) });
  }

  /** Enqueues jobs that take one another's models as `$step`; what needs nothing of another runs beside it. */
  submitPipeline(steps: Step[], options: { idempotencyKey?: string } = {}): Promise<PipelineView> {
    return this.sendPipeline({ steps }, options);
  }

  /** As {@link submitPipeline}, for kinds that are known only when the program runs. */
  sendPipeline(
    body: z.input<typeof pipelineRequest>,
    options: { idempotencyKey?: string } = {},
  ): Promise<PipelineView> {
    return this.#api.json("POST", "/v1/pipelines", { body, headers: idempotency(options.idempotencyKey) });
  }

  job(id: string): Promise<JobView> {
    return this.#api.json("GET", `/v1/jobs/${segment(id)}`);
  }

  jobs(filter: JobFilter = {}): Promise<JobPage> {
    return this.#api.json("GET", "/v1/jobs", { query: { ...filter } });
  }

  pipeline(id: string): Promise<PipelineView> {
    return this.#api.json("GET", `/v1/pipelines/${segment(id)}`);
  }

  /** Asks for the steps that have not ended to be stopped; a running one ends a little later. */
  cancelPipeline(id: string): Promise<PipelineView> {
    return this.#api.json("POST", `/v1/pipelines/${segment(id)}/cancel`);
  }

  /** Asks for a job to be stopped; a running one ends a little later. */
  cancel(id: string): Promise<JobView> {
    return this.#api.json("POST", `/v1/jobs/${segment(id)}/cancel`);
  }

  /** Runs a failed or cancelled job again. */
  retry(id: string): Promise<JobView> {
    return this.#api.json("POST", `/v1/jobs/${segment(id)}/retry`);
  }

  /** A job's events, past ones first, until the job ends. Goes on across lost connections. */
  events(id: string, options: EventOptions = {}): AsyncGenerator<StoredJobEvent, void, void> {
    return jobEvents(this.#api, `/v1/jobs/${segment(id)}/events`, options);
  }

  /** Waits for a job's end, however it ends. */
  async wait(id: string, options: { signal?: AbortSignal } = {}): Promise<JobView> {
    for (;;) {
      const job = await this.job(id);
      if (isFinal(job.state)) return job;
      options.signal?.throwIfAborted();
      for await (const event of this.events(id, options)) if (event.type === "state" && isFinal(event.state)) break;
    }
  }

  async logs(id: string): Promise<LogEvent[]> {
    const query = { limit: allEvents };
    const { logs } = await this.#api.json<{ logs: LogEvent[] }>("GET", `/v1/jobs/${segment(id)}/logs`, { query });
    return logs;
  }

  async metrics(id: string): Promise<MetricsEvent[]> {
    const query = { limit: allEvents };
    const path = `/v1/jobs/${segment(id)}/metrics`;
    const { metrics } = await this.#api.json<{ metrics: MetricsEvent[] }>("GET", path, { query });
    return metrics;
  }

  /** All models by name. */
  models(): Promise<ModelView[]> {
    return allPages(this.#api, "/v1/models", "models");
  }

  /** A model's versions and aliases. */
  model(name: string): Promise<ModelView> {
    return this.#api.json("GET", `/v1/models/${segment(name)}`);
  }

  /** All versions of a model, oldest first. */
  versions(name: string): Promise<VersionRecord[]> {
    return allPages(this.#api, `/v1/models/${segment(name)}/versions`, "versions");
  }

  /** A version's record with what was measured, and its manifest. */
  version(name: string, version: number): Promise<VersionRecord & { manifest: Manifest }> {
    return this.#api.json("GET", `/v1/models/${segment(name)}/versions/${version}`);
  }

  /** The manifest of `name`, `name@version`, `name@alias` or `sha256:<digest>`. */
  manifest(reference: string): Promise<Manifest> {
    return this.#api.json("GET", `/v1/models/${segment(reference)}/manifest`);
  }

  /**
   * Sets an alias, or moves it.
   * @param options.generation the alias's generation that you saw (0: none); `conflict` when it has moved since.
   */
  setAlias(name: string, alias: string, version: number, options: { generation?: number } = {}): Promise<AliasRecord> {
    const body = { version, ...options };
    return this.#api.json("PUT", `/v1/models/${segment(name)}/aliases/${segment(alias)}`, { body });
  }

  /**
   * Deletes a version, whose number is not given again. Needs a key of scope admin.
   * @param options.force also where an alias points to it or a job that has not ended takes it.
   */
  deleteVersion(name: string, version: number, { force = false } = {}): Promise<DeletionRecord> {
    const query = force ? { force: "true" } : {};
    return this.#api.json("DELETE", `/v1/models/${segment(name)}/versions/${version}`, { query });
  }

  /** The model card, in Markdown, of a name, name@version or name@alias. */
  report(reference: string): Promise<string> {
    return this.#api.text("GET", `/v1/models/${segment(reference)}/report`);
  }

  /** What a version takes of the size, time and accuracy of the model that it was made from, as SVG; `not_found` where there is none. */
  chart(reference: string): Promise<string> {
    return this.#api.text("GET", `/v1/models/${segment(reference)}/report.svg`);
  }

  /** What a model was made from, back to the models that were trained from nothing. */
  lineage(reference: string): Promise<LineageNode> {
    return this.#api.json("GET", `/v1/models/${segment(reference)}/lineage`);
  }

  /** One file of a model, by its path in the manifest or its role (`onnx`). */
  async download(reference: string, path: string): Promise<Uint8Array> {
    const response = await this.#api.request("GET", `/v1/models/${segment(reference)}/files/${segment(path)}`);
    return new Uint8Array(await response.arrayBuffer());
  }

  async workers(): Promise<WorkerView[]> {
    const { workers } = await this.#api.json<{ workers: WorkerView[] }>("GET", "/v1/workers");
    return workers;
  }

  /** Asks a worker to take no more jobs and to give back those it runs. Needs a key of scope admin. */
  drainWorker(id: string): Promise<WorkerView> {
    return this.#api.json("POST", `/v1/workers/${segment(id)}/drain`);
  }

  async kinds(): Promise<KindView[]> {
    const { kinds } = await this.#api.json<{ kinds: KindView[] }>("GET", "/v1/kinds");
    return kinds;
  }

  /**
   * Uploads a version of a data set, a NumPy archive `.npz`; jobs take it as `name@version`. The newest version's file again is that version.
   * @param options.scale and `offset`: models see x * scale + offset; by default bytes of images as 0 to 1, all else as it is.
   */
  uploadDataset(
    name: string,
    bytes: Uint8Array,
    { scale, offset }: { scale?: number; offset?: number } = {},
  ): Promise<DatasetRecord> {
    const query = { scale, offset };
    const path = `/v1/datasets/${segment(name)}/versions`;
    return this.#api.json("POST", path, { body: bytes, query, unlimited: true });
  }

  /** The versions of all data sets that were uploaded, by name. */
  uploadedDatasets(): Promise<DatasetRecord[]> {
    return allPages(this.#api, "/v1/datasets", "uploaded");
  }

  /**
   * Deletes a version of an uploaded data set, whose number is not given again. Needs a key of scope admin.
   * @param options.force also where a job that has not ended takes it.
   */
  deleteDataset(name: string, version: number, { force = false } = {}): Promise<DeletionRecord> {
    const query = force ? { force: "true" } : {};
    return this.#api.json("DELETE", `/v1/datasets/${segment(name)}/versions/${version}`, { query });
  }

  /** Stores a file for a job to take by its digest; it goes after a day unless one does. */
  upload(bytes: Uint8Array): Promise<{ digest: string; size: number }> {
    return this.#api.json("POST", "/v1/uploads", { body: bytes, unlimited: true });
  }

  /** The data sets of the zoo. */
  async datasets(): Promise<DatasetView[]> {
    const query = { limit: 1 };
    const { datasets } = await this.#api.json<{ datasets: DatasetView[] }>("GET", "/v1/datasets", { query });
    return datasets;
  }

  async families(): Promise<FamilyView[]> {
    const { families } = await this.#api.json<{ families: FamilyView[] }>("GET", "/v1/families");
    return families;
  }

  /** Name, platform, inputs and outputs of a served model (`name`, `name@version` or `name@alias`). */
  servedModel(model: string): Promise<ServedModel> {
    return this.#serving.json("GET", modelPath(model));
  }

  /** Runs a served model on the inputs that its signature asks for. */
  predict(model: string, inputs: InferInput[]): Promise<InferResponse> {
    return this.#serving.json("POST", `${modelPath(model)}/infer`, { body: inferBody(inputs) });
  }

  /** Which parts of one sample make a served model answer what it answers: the Shapley value of each. */
  explain(model: string, input: InferInput, parameters: ExplainParameters = {}): Promise<ExplainResponse> {
    const body = explainBody(input, parameters);
    return this.#serving.json("POST", `${modelPath(model)}/explain`, { body, unlimited: true });
  }

  get #serving(): Http {
    if (this.#serve) return this.#serve;
    throw new AppError("invalid_request", "the client needs serveUrl (http://127.0.0.1:7701) to ask the serving app");
  }
}

function idempotency(key: string | undefined): Record<string, string> {
  return key === undefined ? {} : { "idempotency-key": key };
}
