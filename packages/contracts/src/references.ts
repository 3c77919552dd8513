import { z } from "zod";
import { mustBe } from "./parse.ts";

const name = /^[a-z0-9][a-z0-9._-]{0,127}$/;

/** A model's name: lower case, digits, `.`, `_`, `-`; at most 128 characters. It is also a folder's name in the store. */
export const modelName = z
  .string()
  .regex(name, "must be 1 to 128 characters of a-z, 0-9, '.', '_' or '-', beginning with a letter or a digit")
  .meta({ example: "fashion-student" });

/** An alias such as `prod`; never a bare number, which would read as a version. */
export const aliasName = z
  .string()
  .regex(
    /^[a-z][a-z0-9._-]{0,63}$/,
    "must be 1 to 64 characters of a-z, 0-9, '.', '_' or '-', beginning with a letter",
  );

export const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, "must be sha256: and 64 hexadecimal digits");

export type ModelReference =
  | { kind: "latest"; name: string }
  | { kind: "version"; name: string; version: number }
  | { kind: "alias"; name: string; alias: string }
  | { kind: "digest"; digest: string }
  | { kind: "step"; step: string };

/**
 * Reads `name` (newest version), `name@3`, `name@alias`, `sha256:<hex>` or, inside a pipeline, `$step`.
 * @returns undefined when the text is none of these.
 */
export function parseModelReference(text: string): ModelReference | undefined {
  if (digest.safeParse(text).success) return { kind: "digest", digest: text };
  if (text.startsWith("$")) return name.test(text.slice(1)) ? { kind: "step", step: text.slice(1) } : undefined;
  const [base = "", tag, ...rest] = text.split("@");
  if (!name.test(base) || rest.length > 0) return undefined;
  if (tag === undefined) return { kind: "latest", name: base };
  if (/^[1-9]\d{0,8}$/.test(tag)) return { kind: "version", name: base, version: Number(tag) };
  return aliasName.safeParse(tag).success ? { kind: "alias", name: base, alias: tag } : undefined;
}

const forms = "name, name@version, name@alias, sha256:<digest> or, in a pipeline, $step";
const error = ({ input }: { input?: unknown }) => mustBe(forms, input);

/** How a job names a model that it takes: see {@link parseModelReference}. */
export const modelReference = z
  .string({ error })
  .refine((text) => parseModelReference(text) !== undefined, { error })
  .meta({ example: "fashion-teacher@1" });
