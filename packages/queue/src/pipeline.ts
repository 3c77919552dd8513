import {
  AppError,
  modelReferences,
  parse,
  parseModelReference,
  type Issue,
  type JobDefinition,
  type PipelineRequest,
  type PipelineStep,
} from "@whittle/contracts";
import { z } from "zod";

export type Catalog = Readonly<Record<string, JobDefinition>>;

/** A step with its parameters parsed and the steps whose artifacts they take: parameter -> step. */
export interface PlannedStep extends PipelineStep {
  inputs: Record<string, string>;
}

const params = z.record(z.string(), z.unknown());

/** Parses a job's parameters; unknown ones are refused by name. @throws AppError `invalid_request`. */
export function parseParams(definition: JobDefinition, value: unknown, at: string): Record<string, unknown> {
  return params.parse(parse(definition.params, value, `params of ${definition.kind}`, at));
}

/**
 * Checks a pipeline and puts its steps in an order in which each comes after those it takes from.
 * @throws AppError `invalid_request` with the path of everything wrong: kinds, parameters, names used twice, unknown steps, cycles.
 */
export function planPipeline(catalog: Catalog, request: PipelineRequest): PlannedStep[] {
  const issues: Issue[] = [];
  const positions = new Map<string, number>();
  request.steps.forEach(({ step }, at) => {
    if (positions.has(step)) issues.push({ path: `steps.${at}.step`, message: `the name ${step} is used twice` });
    else positions.set(step, at);
  });
  const steps = request.steps.map((step, at): PlannedStep => {
    const parsed = parseStep(catalog, step, at, issues);
    for (const [param, input] of Object.entries(parsed.inputs)) {
      const problem = inputProblem(catalog, request, positions, input);
      if (problem) issues.push({ path: `steps.${at}.params.${param}`, message: problem });
    }
    return parsed;
  });
  const sorted = sortSteps(steps);
  const inCycle = steps.findIndex((step) => !sorted.includes(step));
  if (issues.length === 0 && inCycle >= 0) {
    issues.push({
      path: `steps.${inCycle}.params`,
      message: `the step takes, through others, its own artifact (a cycle)`,
    });
  }
  const [first] = issues;
  if (first)
    throw new AppError("invalid_request", `the pipeline is not valid: ${first.path}: ${first.message}`, { issues });
  return sorted;
}

function parseStep(catalog: Catalog, step: PipelineStep, at: number, issues: Issue[]): PlannedStep {
  const definition = Object.hasOwn(catalog, step.kind) ? catalog[step.kind] : undefined;
  if (!definition) {
    issues.push({ path: `steps.${at}.kind`, message: `unknown kind ${step.kind}; there are ${kindNames(catalog)}` });
    return { ...step, inputs: {} };
  }
  try {
    const parsed = parseParams(definition, step.params, `steps.${at}.params`);
    return { ...step, params: parsed, inputs: stepInputs(definition, parsed) };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    issues.push(...error.issues);
    return { ...step, inputs: stepInputs(definition, step.params) };
  }
}

function stepInputs(definition: JobDefinition, values: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(
    modelReferences(definition, values).flatMap(({ param, reference }) => {
      const parsed = parseModelReference(reference);
      return parsed?.kind === "step" ? [[param, parsed.step]] : [];
    }),
  );
}

function inputProblem(
  catalog: Catalog,
  { steps }: PipelineRequest,
  positions: Map<string, number>,
  input: string,
): string | undefined {
  const from = steps[positions.get(input) ?? -1];
  if (!from) return `there is no step ${input}; there are ${[...positions.keys()].join(", ")}`;
  const publishes = Object.hasOwn(catalog, from.kind) ? catalog[from.kind]?.publishes : true;
  return publishes ? undefined : `step ${input} is of kind ${from.kind}, which makes no model`;
}

/** Kahn's algorithm, keeping the order of the request where it can; steps of a cycle, or behind one, are left out. */
function sortSteps(steps: PlannedStep[]): PlannedStep[] {
  const sorted: PlannedStep[] = [];
  const done = new Set<string>();
  for (let found = true; found;) {
    found = false;
    for (const step of steps) {
      if (sorted.includes(step) || !Object.values(step.inputs).every((input) => done.has(input))) continue;
      sorted.push(step);
      done.add(step.step);
      found = true;
    }
  }
  return sorted;
}

export function kindNames(catalog: Catalog): string {
  return Object.keys(catalog).toSorted().join(", ");
}
