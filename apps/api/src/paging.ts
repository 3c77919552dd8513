import { z } from "zod";
import { querySchema } from "./query.ts";

const what = "must be the cursor of the page before";

/** The query of a listing that has pages. Without `limit` all of it is one page, as for those who know of no pages. */
export function pageQuery<C>(read: (cursor: string) => C | undefined) {
  return querySchema({
    limit: z.coerce
      .number()
      .int()
      .min(1)
      .max(200)
      .optional()
      .meta({ description: "How many a page has; without it, all that are left." }),
    cursor: z
      .string()
      .refine((text) => read(text) !== undefined, what)
      .transform(read)
      .optional()
      .meta({ description: "The cursor of the page before." }),
  });
}

/** Where the next page of an answer begins. */
export const nextPage = { cursor: z.string().optional().meta({ description: "Absent on the last page." }) };

/** The query of a listing of versions, whose cursors are their numbers. */
export const versionPage = pageQuery((text) => (/^[1-9]\d{0,8}$/.test(text) ? Number(text) : undefined));

export function cursorOfVersion({ version }: { version: number }): string {
  return String(version);
}

/**
 * Reads a page and finds out whether another follows it.
 * @param find gives at most `limit` items after a cursor.
 * @param cursorOf where the page after an item begins.
 */
export async function readPage<T, C>(
  { limit, cursor }: { limit?: number | undefined; cursor?: C | undefined },
  find: (page: { after: C | undefined; limit: number | undefined }) => Promise<T[]>,
  cursorOf: (item: T) => string,
): Promise<{ items: T[]; cursor?: string }> {
  const found = await find({ after: cursor, limit: limit === undefined ? undefined : limit + 1 });
  const items = found.slice(0, limit);
  const last = items.at(-1);
  return { items, ...(last !== undefined && found.length > items.length && { cursor: cursorOf(last) }) };
}
