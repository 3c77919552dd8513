import { z } from "zod";

/** The schema of a query with these fields. Any other field is an issue of its own, which names those there are. */
export function querySchema<S extends z.ZodRawShape>(shape: S) {
  const known = Object.keys(shape);
  return z.looseObject(shape).superRefine((query, context) => {
    for (const name of Object.keys(query).filter((each) => !known.includes(each))) {
      const message = `there is no such field; the query may have ${known.join(", ")}`;
      context.addIssue({ code: "custom", path: [name], message });
    }
  });
}
