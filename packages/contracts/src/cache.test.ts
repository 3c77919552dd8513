import { homedir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { cacheFolder } from "./cache.ts";

it.each([
  [{}, join(homedir(), ".cache", "whittle")],
  [{ XDG_CACHE_HOME: "/x" }, "/x/whittle"],
  [{ XDG_CACHE_HOME: "/x", WHITTLE_CACHE_DIR: "/w" }, "/w"],
  [{ XDG_CACHE_HOME: "", WHITTLE_CACHE_DIR: "" }, join(homedir(), ".cache", "whittle")],
])("takes what %j names, and nothing from an empty variable", (env, folder) => {
  expect(cacheFolder(env)).toBe(folder);
});
