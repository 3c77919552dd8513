import { check } from "@whittle/contracts";
import { InvalidArgumentError } from "commander";
import { z } from "zod";

/** A whole number from 1. */
export const count = z.int().min(1);

/** Reads an option's text as a number that `schema` takes; anything else is wrong usage. */
export function numberOf<S extends z.ZodType>(schema: S): (text: string) => z.output<S> {
  return (text) => {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    const checked = check(schema, Number.isNaN(value) ? text : value);
    if (checked.success) return checked.data;
    throw new InvalidArgumentError(`It ${checked.problems[0]?.message}.`);
  };
}
