import { toAppError, type JobEnvelope, type JobResult } from "@whittle/contracts";
import type { ArtifactStore } from "@whittle/store";

/**
 * What an earlier run of a job has published and could not tell. Its alias is moved, if that was still to be done.
 * @returns undefined where the job has published nothing.
 * @throws AppError `unavailable` while the store can't say; `corrupt`.
 */
export async function findPublished(store: ArtifactStore, job: JobEnvelope): Promise<JobResult | undefined> {
  const { id, output, submittedBy } = job;
  const versions = await store.versions(output.name).catch((error: unknown) => {
    if (toAppError(error).code === "not_found") return [];
    throw error;
  });
  const found = versions.find(({ jobId }) => jobId === id);
  if (found === undefined) return undefined;
  const { measurements } = found;
  const target = { ...output, jobId: id, actor: submittedBy };
  const { name, version, digest } = await store.republish(found.digest, measurements, target);
  const { metrics } = await store.manifest(digest);
  return { artifact: { name, version, digest }, metrics: { ...metrics, ...measurements } };
}
