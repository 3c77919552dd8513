import type { Http } from "./http.ts";

/** The most that the API puts on one page. */
const pageSize = 200;

/**
 * All of a listing, page by page.
 * @param field of a page's body holds its items.
 */
export async function allPages<T>(http: Http, path: string, field: string): Promise<T[]> {
  const items: T[] = [];
  for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
    const query = { limit: pageSize, cursor };
    const page = await http.json<Record<string, T[]> & { cursor?: string }>("GET", path, { query });
    items.push(...(page[field] ?? []));
    ({ cursor } = page);
  }
  return items;
}
