/** A job's process that behaves as `params.behaviour` says. */
import { spawn } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const behaviours = {
  result: ({ metrics }) =>
    answer({ type: "result", result: { metrics }, resources: { cpuSeconds: 1.5, peakRssBytes: 4096 } }),
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
  /** Stopped, as a process that waits for ever in native code. */
  frozen: () => process.kill(process.pid, "SIGSTOP"),
  hungry: () => {
    const held = [];
    setInterval(() => held.push(Buffer.alloc(20e6, 1)), 50);
  },
  asks: () => {
    process.send({ type: "ask", id: 0, question: { what: "keep", name: "1-3-checkpoint" } });
    process.send({ type: "ask", id: 1, question: { what: "commit" } });
  },
  /** Starts a process of its own and says which. */
  parent: () => {
    const { pid } = spawn("sleep", ["300"]);
    process.send({ type: "event", event: { type: "log", level: "info", message: String(pid) } });
    setInterval(() => {}, 1000);
  },
  polite: () => setInterval(() => {}, 1000),
  /** Tells progress, and then runs until it is cancelled. */
  progress: () => {
    process.send({ type: "event", event: { type: "progress", fraction: 0, stage: "begun" } });
    setInterval(() => {}, 1000);
  },
  slow: ({ ms }) => setTimeout(() => answer({ type: "result", result: { metrics: { done: true } } }), ms),
  folder: (_params, folder) => {
    writeFileSync(join(folder, "file"), "");
    answer({ type: "result", result: { metrics: { folder, wasThere: existsSync(folder) } } });
  },
  environment: () => answer({ type: "result", result: { metrics: { threads: process.env.TF_NUM_INTRAOP_THREADS } } }),
};

const answers = [];

process.on("message", (message) => {
  if (message.type === "prepare") {
    process.send({ type: "ready" });
    return;
  }
  if (message.type === "answer") {
    answers[message.id] = message.error ?? message.names;
    if (message.id === 1) answer({ type: "result", result: { metrics: { answers } } });
    return;
  }
  if (message.type === "cancel") {
    answer({ type: "error", error: { code: "cancelled", message: message.reason } });
    return;
  }
  const { behaviour, ...rest } = message.envelope.params;
  process.send({ type: "event", event: { type: "log", level: "debug", message: "started" } });
  behaviours[behaviour](rest, message.workDir);
});

function answer(message) {
  process.send(message, () => process.exit(0));
}
