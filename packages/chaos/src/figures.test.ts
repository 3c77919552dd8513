import { expect, it } from "vitest";
import { figures } from "./figures.ts";
import type { Entry } from "./history.ts";

const begun = (at: number, epoch: number, pid: number, parent: number): Entry => {
  return { at, what: "begun", job: "a", epoch, step: 0, pid, parent };
};

const state = (at: number, name: "waiting" | "running"): Entry => {
  return { at, what: "event", job: "a", event: { type: "state", state: name, at: new Date(at).toISOString() } };
};

const killed = (at: number, kind: string, pid: number): Entry => {
  return { at, what: "fault", kind, target: "worker-0", pids: [pid] };
};

const one = (ms: number) => ({ count: 1, p50: ms, p99: ms, max: ms });

it("tells when a job whose process was killed was taken again apart from when it ran again", () => {
  const history = [
    state(0, "running"),
    begun(10, 1, 200, 100),
    killed(100, "child killed", 200),
    state(110, "waiting"),
    state(130, "running"),
    // Its second run can't open the store: there is no process that begins.
    state(150, "waiting"),
    state(5000, "running"),
    begun(5100, 3, 201, 100),
  ];
  expect(figures(history)).toMatchObject({ childKilledTaken: one(30), childKilled: one(5000) });
});

it("tells the parts of a recovery from a killed worker", () => {
  const history = [
    state(0, "running"),
    begun(10, 1, 200, 100),
    killed(100, "worker killed", 100),
    state(2100, "waiting"),
    state(2105, "running"),
    begun(2500, 2, 201, 101),
  ];
  expect(figures(history)).toMatchObject({
    childKilledTaken: { count: 0 },
    workerKilledTaken: one(2005),
    workerKilledUndisturbed: one(2400),
    workerKilledParts: { noticed: one(2000), taken: one(5), begun: one(395) },
  });
});
