/** Trains as a job does, with nobody that supervises it, and sends when its epochs ended. Arguments: a folder, the parameters as JSON. */
import { mkdtemp } from "node:fs/promises";
import path from "node:path";
import { runJob } from "@whittle/jobs/runners";
import { openStore } from "@whittle/store";

const [, , folder = "", params = ""] = process.argv;
const ends: number[] = [];
await runJob(
  {
    id: "bare",
    kind: "train",
    params: JSON.parse(params),
    output: { name: "bare" },
    timeoutSeconds: 3600,
    fresh: true,
    createdAt: new Date().toISOString(),
    submittedBy: "bench",
  },
  {
    store: await openStore(await mkdtemp(path.join(folder, "bare-"))),
    workDir: await mkdtemp(path.join(folder, "run-")),
    signal: new AbortController().signal,
    emit: (event) => {
      if (event.type === "metrics" && event.series === "epoch") ends.push(Date.now());
    },
  },
);
process.send?.(ends, undefined, {}, () => process.exit(0));
