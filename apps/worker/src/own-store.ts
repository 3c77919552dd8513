import type { ArtifactStore } from "@whittle/store";
import type { Logger } from "pino";

/**
 * Makes what tells whether a store, by its identity, is this worker's own. It says once when it is not, and once when it is again.
 * @throws AppError as {@link ArtifactStore.identity}.
 */
export async function createOwnStore(store: ArtifactStore, log: Logger): Promise<(id: string) => Promise<boolean>> {
  const { location } = store;
  let own = await store.identity();
  let said = false;
  return async (id) => {
    // Another store may lie there now, such as a folder that was mounted late.
    if (id !== own) own = await store.identity();
    const other = id !== own;
    if (other && !said) log.error({ store: location, identity: own, api: id }, refusal(location));
    if (!other && said) log.info({ store: location }, "takes jobs again: its store is the API's");
    said = other;
    return !other;
  };
}

function refusal(location: string): string {
  return (
    `takes no jobs: its WHITTLE_STORE is ${location}, and the API has another store, so nobody would find what it publishes; ` +
    "start this worker with the WHITTLE_STORE of the API, or the API with this one"
  );
}
