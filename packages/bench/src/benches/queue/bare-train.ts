/** Trains as a job does, with nobody that supervises it, and sends when each epoch ends. Arguments: a folder, the parameters as JSON. */
import { mkdtemp } from "node:fs/promises";
import path from "node:path";
import { runJob } from "@whittle/jobs/runners";
import { openStore } from "@whittle/store";

const [, , folder = "", params = ""] = process.argv;
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
      if (event.type === "metrics" && event.series === "epoch") process.send?.(Date.now());
    },
  },
);
process.exit(0);
