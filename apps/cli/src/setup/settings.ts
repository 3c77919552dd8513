import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheFolder, presentVariables } from "@whittle/contracts";
import { z } from "zod";

const root = fileURLToPath(new URL("../../../..", import.meta.url));

const schema = z
  .object({
    XDG_CACHE_HOME: z.string().optional(),
    WHITTLE_CACHE_DIR: z.string().optional(),
    WHITTLE_TENSORFLOW: z.enum(["cpu", "cuda"]).optional(),
    TENSORFLOW_LIB_DIR: z.string().optional(),
    REDIS_URL: z.string().optional(),
    WHITTLE_STORE: z.string().default(".whittle/store"),
    WHITTLE_DATA_DIR: z.string().optional(),
  })
  .transform((env) => ({
    root,
    /** Downloads and builds that all checkouts of this user share. */
    cacheDir: cacheFolder(env),
    /** Which build of TensorFlow to take; by default CUDA where a GPU is seen. */
    tensorflowBuild: env.WHITTLE_TENSORFLOW,
    /** A folder with libtensorflow that the user has put there. */
    tensorflowLibDir: env.TENSORFLOW_LIB_DIR,
    redisUrl: env.REDIS_URL,
    store: env.WHITTLE_STORE.includes("://") ? env.WHITTLE_STORE : resolve(root, env.WHITTLE_STORE),
    dataDir: env.WHITTLE_DATA_DIR,
  }));

/** What the environment says about set-up. */
export type Settings = z.output<typeof schema>;

/** What programs that set-up starts inherit. */
export function inheritedEnv(): NodeJS.ProcessEnv {
  return process.env;
}

export function readSettings(env: NodeJS.ProcessEnv = process.env): Settings {
  return schema.parse(presentVariables(env));
}
