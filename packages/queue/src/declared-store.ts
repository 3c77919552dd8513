import type { Context } from "./connection.ts";

/** The store in which an installation's models are. */
export interface DeclaredStore {
  /** Its identity. */
  id: string;
  /** Called when workers had been told of another one before. */
  onReplaced?: () => void;
}

/**
 * Tells workers, once and as soon as Redis is there, in which store this installation publishes.
 * @returns what makes sure that they have been told; it throws while they can't be.
 */
export function declareStore({ redis, keys }: Context, store: DeclaredStore | undefined): () => Promise<void> {
  let left = store;
  const declare = async (): Promise<void> => {
    if (!left) return;
    const { id, onReplaced } = left;
    const before = await redis.set(keys.store, id, "GET");
    left = undefined;
    if (before !== null && before !== id) onReplaced?.();
  };
  // What fails here is done before anything is asked of the queue.
  redis.on("ready", () => void declare().catch(() => {}));
  return declare;
}

/** The identity that the API which started last has declared; null before there was one. */
export function declaredStore({ redis, keys }: Context): Promise<string | null> {
  return redis.get(keys.store);
}
