import type { Redis } from "ioredis";

/**
 * Hosts' clocks may differ by minutes, so what several of them compare is told by the clock of Redis. In Lua `now()`, in ms since
 * 1970.
 */
export const luaNow = `
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
`;

/** Redis's time, in ms since 1970. */
export async function redisNow(redis: Redis): Promise<number> {
  const [seconds, microseconds] = await redis.time();
  return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);
}
