import { AppError, datatype, mustBe, parse } from "@whittle/contracts";
import type { InferInput, ServedModel } from "@whittle/sdk";
import { z } from "zod";

/** What the Open Inference Protocol takes. */
const request = z.object({
  inputs: z.array(z.object({ name: z.string(), datatype, shape: z.array(z.int()), data: z.array(z.unknown()) })).min(1),
});

/**
 * The inputs of a prediction: of a bare array the model's one input, of `{inputs}` those that it lists.
 * @param what names the value in errors.
 * @throws AppError `invalid_request` that says what the model takes, and where the value is not that.
 */
export function inputsOf(model: ServedModel, value: unknown, what: string): InferInput[] {
  if (Array.isArray(value)) return [{ ...onlyInput(model, what), ...readNested(value, what) }];
  if (typeof value !== "object" || value === null)
    throw new AppError("invalid_request", `${what} ${mustBe(accepted(model), value)}`);
  return parse(request, value, what).inputs.map((input, index) => ({
    ...input,
    data: readNested(input.data, `${what}: inputs.${index}.data`).data,
  }));
}

/** `an array of numbers of shape [n, 28, 28, 1] (n samples), …`. */
function accepted({ inputs: [first, ...more] }: ServedModel): string {
  const others = 'the protocol\'s {"inputs": [{name, datatype, shape, data}]}, or @file.json with it';
  if (!first || more.length > 0) return others;
  const shape = first.shape.map((size) => (size === -1 ? "n" : size)).join(", ");
  return `a nested array of numbers of shape [${shape}] (n: any number of samples), ${others}`;
}

function onlyInput({ name, inputs }: ServedModel, what: string) {
  const [first, ...more] = inputs;
  if (first && more.length === 0) return { name: first.name, datatype: first.datatype };
  const names = inputs.map((spec) => spec.name).join(", ");
  throw new AppError(
    "invalid_request",
    `${what}: ${name} has the inputs ${names}: give {"inputs": [{name, datatype, shape, data}]}`,
  );
}

/**
 * Nested arrays in row-major order: `[[1, 2, 3], [4, 5, 6]]` has the shape [2, 3].
 * @param what names the array in errors.
 * @throws AppError `invalid_request` with the place of the first item that is no number, or not as long as those before it.
 */
export function readNested(value: unknown[], what: string): { shape: number[]; data: number[] } {
  const shape: number[] = [];
  for (let level: unknown = value; Array.isArray(level); level = level[0]) shape.push(level.length);
  const data: number[] = [];
  const place: number[] = [];
  const read = (item: unknown): void => {
    const problem = problemOf(item, shape[place.length]);
    if (problem !== undefined) refuse(what, place, problem);
    if (!Array.isArray(item)) return void data.push(Number(item));
    for (const [index, inner] of item.entries()) {
      place.push(index);
      read(inner);
      place.pop();
    }
  };
  read(value);
  return { shape, data };
}

/** What is wrong with an item where lists of `length` stand, or numbers (undefined). */
function problemOf(item: unknown, length: number | undefined): string | undefined {
  if (length === undefined) return typeof item === "number" ? undefined : mustBe("a number", item);
  const right = `a list of ${length}, as the first one there is`;
  if (!Array.isArray(item)) return mustBe(right, item);
  return item.length === length ? undefined : `must be ${right}, not of ${item.length}`;
}

function refuse(what: string, place: number[], problem: string): never {
  const path = place.map((index) => `[${index}]`).join("");
  throw new AppError("invalid_request", `${what}: ${path} ${problem}`, { issues: [{ path, message: problem }] });
}
