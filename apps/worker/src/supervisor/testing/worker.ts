/** A worker that starts a busy job, tells its pid and waits to be killed. */
import { fileURLToPath } from "node:url";
import { forkGroup } from "../fork.ts";
import { runInChild } from "../run-in-child.ts";

const entry = { path: fileURLToPath(new URL("./child.mjs", import.meta.url)), execArgv: [] };
let pid = 0;
await runInChild({
  task: {
    envelope: {
      id: "j1",
      kind: "test",
      params: { behaviour: "busy" },
      output: { name: "model" },
      timeoutSeconds: 60,
      createdAt: "2025-01-01T00:00:00Z",
      submittedBy: "test",
    },
    epoch: 1,
    checkpoints: [],
    store: "memory:",
    datasetDirs: [],
    workDir: "/nowhere",
  },
  limits: { silentMs: 60_000, stallMs: 60_000 },
  open: async () => forkGroup(entry, process.env),
  graceMs: () => 200,
  signal: new AbortController().signal,
  onStart: (id) => (pid = id),
  onQuestion: async () => [],
  onEvent: () => process.send?.(pid),
});
