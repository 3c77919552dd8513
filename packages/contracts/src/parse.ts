import { z } from "zod";
import { AppError } from "./errors.ts";

/** What is wrong with one field of a value, and what would be right. */
export interface Problem {
  path: string[];
  message: string;
}

/** What a schema makes of a value, or all that is wrong with it. */
export type Checked<T> = { success: true; data: T } | { success: false; problems: Problem[] };

/** Reads a value by a schema; each field that it doesn't know is a problem of its own. */
export function check<S extends z.ZodType>(schema: S, value: unknown): Checked<z.output<S>> {
  const result = schema.safeParse(value, { error: explain });
  if (result.success) return result;
  const problems = result.error.issues.flatMap((issue) => {
    const path = issue.path.map(String);
    const paths = issue.code === "unrecognized_keys" ? issue.keys.map((key) => [...path, key]) : [path];
    return paths.map((each) => ({ path: each, message: issue.message }));
  });
  return { success: false, problems };
}

/**
 * Parses `value` with `schema`.
 * @param what names the input in the error, and `at` is put before each issue's path (`params`).
 * @throws AppError `invalid_request` with one issue per field that is wrong.
 */
export function parse<S extends z.ZodType>(schema: S, value: unknown, what: string, at = ""): z.output<S> {
  const result = check(schema, value);
  if (result.success) return result.data;
  const issues = result.problems.map(({ path, message }) => ({
    path: [...(at ? [at] : []), ...path].join("."),
    message,
  }));
  const first = issues[0];
  const place = first?.path ? `${first.path}: ` : "";
  throw new AppError("invalid_request", `${what} is not valid: ${place}${first?.message}`, {
    issues,
  });
}

/** "must be …, not …", or that it is missing. */
export function mustBe(right: string, given: unknown): string {
  if (given === undefined) return `is missing; it must be ${right}`;
  // What became NaN was a text that nobody knows any more.
  return Number.isNaN(given) ? `must be ${right}` : `must be ${right}, not ${shown(given)}`;
}

const types: Record<string, string> = {
  int: "a whole number",
  number: "a number",
  string: "a string",
  boolean: "true or false",
  array: "a list",
  tuple: "a list",
  object: "an object",
  record: "an object",
};

/** Says what is wrong where a schema itself does not. */
function explain(issue: z.core.$ZodRawIssue): string | undefined {
  const { input } = issue;
  switch (issue.code) {
    case "invalid_type":
      return mustBe(types[issue.expected] ?? issue.expected, input);
    case "invalid_value":
      return mustBe(oneOf(issue.values), input);
    case "too_small":
      return mustBe(`${issue.inclusive ? "at least" : "above"} ${limit(issue.minimum, issue.origin)}`, measure(input));
    case "too_big":
      return mustBe(`${issue.inclusive ? "at most" : "below"} ${limit(issue.maximum, issue.origin)}`, measure(input));
    case "unrecognized_keys":
      return issue.inst instanceof z.ZodObject
        ? `is not known; known are ${Object.keys(issue.inst.shape).join(", ")}`
        : undefined;
    default:
      return undefined;
  }
}

function oneOf(values: readonly unknown[]): string {
  const last = shown(values.at(-1));
  return values.length === 1 ? last : `${values.slice(0, -1).map(shown).join(", ")} or ${last}`;
}

const units: Record<string, string> = { string: " characters", array: " items" };

function limit(bound: number | bigint, origin: string): string {
  return `${bound}${units[origin] ?? ""}`;
}

/** What a bound is about: of texts and lists their length. */
function measure(value: unknown): unknown {
  return typeof value === "string" || Array.isArray(value) ? value.length : value;
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  return typeof value === "string" ? JSON.stringify(value.slice(0, LONGEST)) : String(value);
}

/** How much of a text is repeated to whom sent it (characters). */
const LONGEST = 100;
