import { createHash } from "node:crypto";
import {
  AppError,
  canonicalJson,
  jobOptions,
  modelReferences,
  parse,
  parseModelReference,
  type JobEnvelope,
  type JobOptions,
  type PipelineRequest,
} from "@whittle/contracts";
import { z } from "zod";
import type { Context } from "./connection.ts";
import { newId } from "./ids.ts";
import { kindNames, parseParams, planPipeline, type Catalog, type PlannedStep } from "./pipeline.ts";
import { encodeFields } from "./record.ts";
import { settle } from "./settle.ts";
import { create, type Acceptance, type NewJob } from "./transitions.ts";
import { checkDestination } from "./webhooks/destination.ts";

export interface Submission {
  kind: string;
  params: unknown;
  options?: z.input<typeof jobOptions>;
  submittedBy: string;
  idempotencyKey?: string | undefined;
}

export interface PipelineSubmission {
  request: PipelineRequest;
  submittedBy: string;
  idempotencyKey?: string | undefined;
}

/** What may be submitted. */
export interface Policy {
  catalog: Catalog;
  /** Hosts that webhooks may go to. */
  webhookHosts: string[];
}

/** Writes a job down and hands it to BullMQ. @returns its id, or that of the job made before with the same key and body. */
export async function submitJob(
  context: Context,
  { catalog, webhookHosts }: Policy,
  submission: Submission,
): Promise<string> {
  const { kind, submittedBy, idempotencyKey } = submission;
  const definition = Object.hasOwn(catalog, kind) ? catalog[kind] : undefined;
  if (!definition) throw new AppError("not_found", `there is no job kind ${kind}; there are ${kindNames(catalog)}`);
  const params = parseParams(definition, submission.params, "params");
  for (const { param, reference } of modelReferences(definition, params)) {
    if (parseModelReference(reference)?.kind === "step") {
      const issues = [{ path: `params.${param}`, message: `${reference} names a step, which only a pipeline has` }];
      throw new AppError("invalid_request", `params of ${kind} are not valid: ${issues[0]?.message}`, { issues });
    }
  }
  const options = parse(jobOptions, submission.options ?? {}, "options");
  if (options.webhook) checkDestination(options.webhook.url, webhookHosts);
  const id = newId();
  const envelope = makeEnvelope(id, kind, params, options, submittedBy);
  const jobs = [newJob(envelope, options, {}, [])];
  return accept(context, { id, jobs }, { submittedBy, idempotencyKey, body: { kind, params, options } });
}

/** As {@link submitJob}, for all the steps of a pipeline at once. @returns the pipeline's id. */
export async function submitPipeline(
  context: Context,
  { catalog, webhookHosts }: Policy,
  submission: PipelineSubmission,
): Promise<string> {
  const { submittedBy, idempotencyKey } = submission;
  const planned = planPipeline(catalog, submission.request);
  submission.request.steps.forEach(({ webhook }, at) => {
    if (webhook) checkDestination(webhook.url, webhookHosts, `steps.${at}.webhook.url`);
  });
  const id = newId();
  const steps = Object.fromEntries(planned.map(({ step }) => [step, newId()]));
  const jobs = planned.map((step) => pipelineJob(id, steps, planned, step, submittedBy));
  const order = submission.request.steps.map(({ step }) => step);
  const pipeline = JSON.stringify({
    createdAt: new Date().toISOString(),
    steps: order.map((step) => [step, steps[step]]),
  });
  return accept(context, { id, jobs, pipeline }, { submittedBy, idempotencyKey, body: { planned } });
}

function pipelineJob(
  pipelineId: string,
  steps: Record<string, string>,
  planned: PlannedStep[],
  step: PlannedStep,
  submittedBy: string,
): NewJob {
  const idOf = (name: string): string => steps[name] ?? "";
  const inputs = Object.fromEntries(Object.entries(step.inputs).map(([param, name]) => [param, idOf(name)]));
  const dependants = planned
    .filter((other) => Object.values(other.inputs).includes(step.step))
    .map((other) => idOf(other.step));
  const envelope = makeEnvelope(idOf(step.step), step.kind, step.params, step, submittedBy);
  return newJob({ ...envelope, pipeline: { id: pipelineId, step: step.step, steps } }, step, inputs, dependants);
}

function makeEnvelope(
  id: string,
  kind: string,
  params: Record<string, unknown>,
  options: JobOptions,
  submittedBy: string,
): JobEnvelope {
  const output = options.output ?? { name: `${kind}-${id}` };
  const createdAt = new Date().toISOString();
  const { timeoutSeconds, fresh } = options;
  return { id, kind, params, output, timeoutSeconds, ...(fresh && { fresh }), createdAt, submittedBy };
}

function newJob(
  envelope: JobEnvelope,
  { priority, attempts, webhook }: JobOptions,
  inputs: Record<string, string>,
  dependants: string[],
): NewJob {
  const fields = encodeFields({ envelope, options: { priority, attempts, webhook }, inputs, dependants });
  return { id: envelope.id, kind: envelope.kind, needs: [...new Set(Object.values(inputs))], fields };
}

const usedFor = z.object({ id: z.string(), body: z.string() });

async function accept(
  context: Context,
  acceptance: Acceptance,
  { submittedBy, idempotencyKey, body }: { submittedBy: string; idempotencyKey: string | undefined; body: unknown },
): Promise<string> {
  const value = { id: acceptance.id, body: sha256(canonicalJson(body)) };
  const key = idempotencyKey === undefined ? undefined : sha256(canonicalJson([submittedBy, idempotencyKey]));
  const idempotency = key === undefined ? undefined : { key, value: JSON.stringify(value) };
  const seen = await create(context, idempotency ? { ...acceptance, idempotency } : acceptance);
  if (seen !== undefined) {
    const before = usedFor.parse(JSON.parse(seen));
    if (before.body === value.body) return before.id;
    throw new AppError(
      "conflict",
      `the Idempotency-Key was used before for another request (${before.id}); use a new key`,
    );
  }
  await Promise.all(
    acceptance.jobs.filter(({ needs }) => needs.length === 0).map(({ id }) => settleLater(context, id)),
  );
  return acceptance.id;
}

/** The job is written down: if Redis goes away just now, a sweep hands it to BullMQ. */
async function settleLater(context: Context, id: string): Promise<void> {
  await settle(context, id).catch(() => {});
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
