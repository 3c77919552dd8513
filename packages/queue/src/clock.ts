import type { Context } from "./connection.ts";
import { luaNow, run, script } from "./lua.ts";

const nowScript = script(`${luaNow}
return now()
`);

/** The time of the Redis that has an installation's keys, in ms since 1970. */
export async function redisNow({ redis, keys }: Context): Promise<number> {
  return Number(await run(redis, nowScript, keys.wake, []));
}
