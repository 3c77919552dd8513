import type { Worker } from "node:worker_threads";
import { toAppError, type AppError } from "@whittle/contracts";
import { afterAll, describe, expect, it, onTestFinished } from "vitest";
import { denseModel } from "../testing/models.ts";
import { Pool } from "./pool.ts";
import { spawnThread } from "./spawn-thread.ts";
import type { Tensors } from "./messages.ts";

const model = denseModel().files[0]?.bytes ?? new Uint8Array();
const read = async () => model;
const inputs: Tensors = { x: { datatype: "FP32", shape: [1, 3], data: Float32Array.of(1, 2, 3) } };
const answer = { logits: { datatype: "FP32", shape: [1, 2], data: Float32Array.of(4, 5) } };

function startPool(threads: number) {
  const workers: Worker[] = [];
  const problems: AppError[] = [];
  const spawn = () => {
    const worker = spawnThread(1);
    workers.push(worker);
    return worker;
  };
  const pool = new Pool({ threads, spawn, onProblem: (problem) => problems.push(problem) });
  return { pool, workers, problems };
}

async function run(pool: Pool, key: string): Promise<Tensors> {
  const lease = await pool.acquire(key);
  try {
    return await lease.run(key, inputs);
  } finally {
    lease.giveBack();
  }
}

function outcomeOf(running: Promise<Tensors>): Promise<string> {
  return running.then(
    () => "answered",
    (error: unknown) => toAppError(error).code,
  );
}

describe("the pool of inference threads", () => {
  const { pool, workers } = startPool(2);
  afterAll(() => pool.close());

  it("loads a model in every thread and runs it in whichever is free", async () => {
    expect(await pool.load("m", read)).toEqual({
      inputs: [{ name: "x", datatype: "FP32", shape: [-1, 3] }],
      outputs: [{ name: "logits", datatype: "FP32", shape: [-1, 2] }],
    });
    const leases = [await pool.acquire("m"), await pool.acquire("m")];
    expect(await Promise.all(leases.map((lease) => lease.run("m", inputs)))).toEqual([answer, answer]);
    leases.forEach((lease) => lease.giveBack());
  });

  it("refuses what is no model, and keeps working", async () => {
    await expect(pool.load("bad", async () => new Uint8Array(9))).rejects.toMatchObject({ code: "corrupt" });
    expect(pool.holds("bad")).toBe(false);
    expect(await run(pool, "m")).toEqual(answer);
  });

  it("forgets a model that is released", async () => {
    await pool.load("released", read);
    expect(await run(pool, "released")).toEqual(answer);
    await pool.release("released");
    expect(pool.holds("released")).toBe(false);
    await expect(pool.acquire("released")).rejects.toMatchObject({ code: "unavailable" });
  });

  it("answers from the other threads when one ends, and replaces it", async () => {
    await workers[0]?.terminate();
    expect(pool.ready).toBe(1);
    expect(await run(pool, "m")).toEqual(answer);
    await expect.poll(() => pool.ready, { timeout: 30_000 }).toBe(2);
  });
});

describe("a pool of one thread", () => {
  it("fails what a thread ran that ends, is not ready until there is another, and then has the same models", async () => {
    const { pool, workers, problems } = startPool(1);
    onTestFinished(() => pool.close());
    await pool.load("m", read);
    const lease = await pool.acquire("m");
    const waiting = pool.acquire("m");
    const running = lease.run("m", inputs);
    void workers[0]?.terminate();
    // The answer may have been on its way already; whoever waited for the thread is told that there is none.
    expect(["answered", "internal"]).toContain(await outcomeOf(running));
    await expect(waiting).rejects.toMatchObject({ code: "unavailable" });
    expect(pool.ready).toBe(0);
    expect(pool.holds("m")).toBe(false);
    await expect(pool.acquire("m")).rejects.toMatchObject({ code: "unavailable" });
    lease.giveBack();
    await expect.poll(() => pool.holds("m"), { timeout: 30_000 }).toBe(true);
    expect(await run(pool, "m")).toEqual(answer);
    expect(problems).toHaveLength(1);
    expect(workers).toHaveLength(2);
  });
});
