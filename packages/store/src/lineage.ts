import type { Manifest } from "@whittle/contracts";

/** An artifact with what it was made from. `role` is what it was to the artifact above it. */
export interface LineageNode {
  digest: string;
  /** Every `name@version` that it was published as. */
  names: string[];
  role?: "base" | "teacher";
  parents: LineageNode[];
}

/**
 * Builds the tree above an artifact.
 * @param read gives a manifest, or undefined for one that is no longer in the store: the tree ends there.
 */
export async function buildLineage(
  digest: string,
  names: Map<string, string[]>,
  read: (digest: string) => Promise<Manifest | undefined>,
  role?: LineageNode["role"],
): Promise<LineageNode> {
  const manifest = await read(digest);
  const parents = await Promise.all(
    (manifest?.parents ?? []).map((parent) => buildLineage(parent.digest, names, read, parent.role)),
  );
  return { digest, names: names.get(digest) ?? [], ...(role && { role }), parents };
}
