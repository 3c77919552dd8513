import type { Worker } from "node:worker_threads";
import type { AppError } from "@whittle/contracts";
import { describe, expect, it, onTestFinished } from "vitest";
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
  onTestFinished(() => pool.close());
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

describe("the pool of inference threads", () => {
  it("loads a model in every thread and runs it in whichever is free", async () => {
    const { pool } = startPool(2);
    expect(await pool.load("m", read)).toEqual({
      inputs: [{ name: "x", datatype: "FP32", shape: [-1, 3] }],
      outputs: [{ name: "logits", datatype: "FP32", shape: [-1, 2] }],
    });
    const leases = [await pool.acquire("m"), await pool.acquire("m")];
    expect(await Promise.all(leases.map((lease) => lease.run("m", inputs)))).toEqual([answer, answer]);
    leases.forEach((lease) => lease.giveBack());
  });

  it("replaces a thread that ends, fails what it ran, and is not ready meanwhile", async () => {
    const { pool, workers, problems } = startPool(1);
    await pool.load("m", read);
    const lease = await pool.acquire("m");
    const waiting = pool.acquire("m");
    const running = lease.run("m", inputs);
    void workers[0]?.terminate();
    // The answer may have been on its way already; whoever waited for the thread is told that there is none.
    await running.catch((error: unknown) => expect(error).toMatchObject({ code: "internal" }));
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

  it("answers from the other threads when one ends", async () => {
    const { pool, workers } = startPool(2);
    await pool.load("m", read);
    await workers[0]?.terminate();
    expect(await run(pool, "m")).toEqual(answer);
    await expect.poll(() => pool.ready, { timeout: 30_000 }).toBe(2);
  });

  it("refuses what is no model, and keeps working", async () => {
    const { pool } = startPool(1);
    await pool.load("m", read);
    await expect(pool.load("bad", async () => new Uint8Array(9))).rejects.toMatchObject({ code: "corrupt" });
    expect(pool.holds("bad")).toBe(false);
    expect(await run(pool, "m")).toEqual(answer);
  });

  it("forgets a model that is released", async () => {
    const { pool } = startPool(1);
    await pool.load("m", read);
    await pool.release("m");
    expect(pool.holds("m")).toBe(false);
    await expect(pool.acquire("m")).rejects.toMatchObject({ code: "unavailable" });
  });
});
