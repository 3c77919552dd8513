/** A job's process that behaves as `params.behaviour` says. */
import { spawn } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const behaviours = {
  result: ({ metrics }) => answer({ type: "result", result: { metrics } }),
  events: () => {
    for (const fraction of [0.5, 1])
      process.send({ type: "event", event: { type: "progress", fraction, stage: "half" } });
    process.send({ type: "event", event: { type: "progress", fraction: 7, stage: "not valid" } });
    answer({ type: "result", result: { metrics: {} } });
  },
  error: () => answer({ type: "error", error: { code: "not_found", message: "no model student" } }),
  crash: () => {
    console.error("the last words");
    process.exit(7);
  },
  killed: () => process.kill(process.pid, "SIGKILL"),
  heap: () => {
    console.error("FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory");
    process.abort();
  },
  tensorMemory: () =>
    answer({ type: "error", error: { code: "internal", message: "OOM when allocating tensor of shape [1]" } }),
  /** Busy, as in native code: neither messages nor signals are handled. */
  busy: () => {
    process.on("SIGTERM", () => {});
    for (;;);
  },
  /** Starts a process of its own and says which. */
  parent: () => {
    const { pid } = spawn("sleep", ["300"]);
    process.send({ type: "event", event: { type: "log", level: "info", message: String(pid) } });
    setInterval(() => {}, 1000);
  },
  polite: () => setInterval(() => {}, 1000),
  slow: ({ ms }) => setTimeout(() => answer({ type: "result", result: { metrics: { done: true } } }), ms),
  folder: (_params, folder) => {
    writeFileSync(join(folder, "file"), "");
    answer({ type: "result", result: { metrics: { folder, wasThere: existsSync(folder) } } });
  },
  environment: () => answer({ type: "result", result: { metrics: { threads: process.env.TF_NUM_INTRAOP_THREADS } } }),
};

process.on("message", (message) => {
  if (message.type === "cancel")
    return answer({ type: "error", error: { code: "cancelled", message: message.reason } });
  const { behaviour, ...rest } = message.envelope.params;
  process.send({ type: "event", event: { type: "log", level: "debug", message: "started" } });
  return behaviours[behaviour](rest, message.workDir);
});

function answer(message) {
  process.send(message, () => process.exit(0));
}
