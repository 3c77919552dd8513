/** A worker that has a spare process and no job, tells that process's pid and waits to be killed. */
import { fileURLToPath } from "node:url";
import { createSpare } from "../spare.ts";
import { logged } from "./logged.ts";

const entry = { path: fileURLToPath(new URL("./child.mjs", import.meta.url)), execArgv: [] };
const { log, lines } = logged();
createSpare({ entry, env: process.env, log }).prepare();
process.send?.(lines[0]?.child);
