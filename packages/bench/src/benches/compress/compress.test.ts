import { afterEach, expect, it, vi } from "vitest";
import type { Check } from "../../bench.ts";
import { distillation } from "./cases/distill.ts";
import { hinton } from "./cases/hinton.ts";
import { int8 } from "./cases/int8.ts";
import { structured, unstructuredInt8 } from "./cases/prune.ts";
import { runCases } from "./index.ts";
import type { Case, ModelSpec } from "./laboratory.ts";

const mlp: ModelSpec = { dataset: "tiny", family: "mlp", familyParams: { hidden: [32] }, epochs: 2 };
const student: ModelSpec = { ...mlp, familyParams: { hidden: [4] }, epochs: 1 };
const record = vi.fn<(checks: Check[]) => Promise<void>>();
const options = { rounds: 1, say: () => {}, record };

afterEach(() => record.mockReset());

it("measures each of its cases through real jobs", { timeout: 180_000 }, async () => {
  const small: Case[] = [
    int8({ name: "int8", model: mlp, drop: 100 }),
    structured({ name: "half", model: mlp, amount: 0.5, epochs: 1 }),
    unstructuredInt8({ name: "both", model: mlp, amount: 0.8, epochs: 1 }),
    hinton({ name: "hinton", teacher: mlp, student, temperature: 20, alpha: 0.1 }),
    distillation({ name: "distill", teacher: mlp, student, lessons: [{ temperature: 2, alpha: 0.5 }], seeds: [0, 1] }),
  ];
  const checks = await runCases(small, options, {});
  const values = Object.fromEntries(checks.map(({ name, value }) => [name.replace("compress/", ""), value]));
  expect(values["int8/int8/size-ratio"]).toBeGreaterThan(1);
  expect(values["half/macs-ratio"]).toBeCloseTo(2, 1);
  expect(values["half/int8/size-ratio"]).toBeGreaterThan(values["half/size-ratio"] ?? Infinity);
  expect(values["both/sparsity"]).toBeCloseTo(0.8, 1);
  expect(values["hinton/teacher/epochs"]).toBe(2);
  expect(values["hinton/student/epochs"]).toBe(1);
  expect(values["distill/T2-alpha0.5/gain-points-most"]).toBeDefined();
  expect(checks.filter(({ value }) => !Number.isFinite(value))).toEqual([]);
  expect(checks.map(({ name }) => name)).toContain("compress/int8/int8/speed-up-b32");
});

it("goes on after a case that fails, and hands over the figures after each", async () => {
  const broken: Case = { name: "broken", run: () => Promise.reject(new Error("no data")) };
  const sound: Case = { name: "sound", run: () => Promise.resolve([]) };
  const checks = await runCases([broken, sound], options, {});
  expect(checks[0]).toEqual({ name: "compress/broken/completed", value: 0, target: 1, ok: false });
  expect(checks[1]?.name).toBe("compress/sound/seconds");
  expect(record).toHaveBeenCalledTimes(2);
});
