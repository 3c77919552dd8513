import type { JobEnvelope } from "@whittle/contracts";
import type { JobHandle } from "@whittle/queue";

/** A job for `child.mjs`, which does what its parameters say. */
export function envelopeOf(params: Record<string, unknown>): JobEnvelope {
  return {
    id: "j1",
    kind: "test",
    params,
    output: { name: "model" },
    timeoutSeconds: 60,
    createdAt: "2025-01-01T00:00:00Z",
    submittedBy: "test",
  };
}

/** What a queue gives with a job: one that allows everything. */
export function handleOf(parts: Pick<JobHandle, "signal" | "runsIn"> & Partial<JobHandle>): JobHandle {
  return {
    emit: () => {},
    uses: () => {},
    epoch: 1,
    checkpoints: [],
    commit: async () => {},
    keep: async () => [],
    ...parts,
  };
}
