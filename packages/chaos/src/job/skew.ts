/** How far this process's clock is ahead of the machine's, in ms. */
export const clockSkewMs = Number(process.env["CHAOS_SKEW_MS"] ?? 0);
