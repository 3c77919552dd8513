import { expect, it } from "vitest";
import { z } from "zod";
import { catalog } from "./catalog.ts";

const fields = z.record(z.string(), z.unknown());

it.each(Object.values(catalog))("$kind takes its example, and refuses a parameter that it does not know", (kind) => {
  const example = fields.parse(kind.example);
  expect(kind.params.safeParse(example).success).toBe(true);
  const { error } = kind.params.safeParse({ ...example, epoch: 3 });
  expect(error?.issues).toContainEqual(expect.objectContaining({ code: "unrecognized_keys", keys: ["epoch"] }));
});
