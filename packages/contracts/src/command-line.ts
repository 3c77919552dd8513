import { parseArgs } from "node:util";
import { z } from "zod";
import { AppError } from "./errors.ts";
import { check } from "./parse.ts";

/**
 * Reads a command line by a schema, each of whose fields is an option: `--rounds 5`, `--quick`.
 * @param rules.flags options that take no value; the others take one.
 * @param rules.arguments how many arguments without an option there may be.
 * @throws AppError `invalid_request` in one line, which names the option and what would be right.
 */
export function parseCommandLine<S extends z.ZodObject>(
  schema: S,
  args: string[],
  { flags = [], arguments: most = 0 }: { flags?: string[]; arguments?: number } = {},
): { options: z.output<S>; arguments: string[] } {
  const known = Object.keys(schema.shape);
  const typeOf = (name: string) => (flags.includes(name) ? ("boolean" as const) : ("string" as const));
  const { tokens } = parseArgs({
    args,
    options: Object.fromEntries(known.map((name) => [name, { type: typeOf(name) }])),
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  const given: Record<string, string | true> = {};
  const words: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") words.push(token.value);
    if (token.kind !== "option") continue;
    const { name, rawName, value, inlineValue } = token;
    if (!rawName.startsWith("--") || !known.includes(name))
      throw wrong(`there is no option ${rawName}; there are ${known.map((each) => `--${each}`).join(", ")}`);
    if (flags.includes(name) && value !== undefined) throw wrong(`${rawName} takes no value`);
    // What begins with - was meant as the next option.
    if (!flags.includes(name) && (value === undefined || (!inlineValue && value.startsWith("-"))))
      throw wrong(`${rawName} needs a value`);
    given[name] = value ?? true;
  }
  if (words.length > most) throw wrong(`the argument ${words[most]} is one too many`);
  const checked = check(schema, given);
  if (checked.success) return { options: checked.data, arguments: words };
  const [problem] = checked.problems;
  throw wrong(`--${problem?.path.join(".")} ${problem?.message}`);
}

function wrong(message: string): AppError {
  return new AppError("invalid_request", message);
}
