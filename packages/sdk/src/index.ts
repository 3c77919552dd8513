export { WhittleClient, type ClientOptions } from "./client.ts";
export { isFinal, type EventOptions } from "./events.ts";
export type * from "./types.ts";
