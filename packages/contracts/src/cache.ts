import { homedir } from "node:os";
import { join } from "node:path";

/** Where a user's checkouts share what was downloaded: `WHITTLE_CACHE_DIR`, else `whittle` in the user's cache folder. */
export function cacheFolder({ WHITTLE_CACHE_DIR, XDG_CACHE_HOME }: NodeJS.ProcessEnv): string {
  return WHITTLE_CACHE_DIR || join(XDG_CACHE_HOME || join(homedir(), ".cache"), "whittle");
}
