import type { BackendInfo } from "@whittle/contracts";

/** A worker's backend, its version and its threads, for a person. */
export function describeBackend({ backend, version, gpu, threads }: BackendInfo): string {
  return `${backend} ${version}${gpu ? " GPU" : ""}, ${threads} threads`;
}
