import { clientFaults } from "./clients.ts";
import type { Fault } from "./arena.ts";
import { hostFaults } from "./hosts.ts";
import { processFaults } from "./processes.ts";
import { redisFaults } from "./redis.ts";
import { storeFaults } from "./store.ts";

/** Everything that can go wrong here. */
export const faults: Fault[] = [...processFaults, ...hostFaults, ...redisFaults, ...storeFaults, ...clientFaults];
