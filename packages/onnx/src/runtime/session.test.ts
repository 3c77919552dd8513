import { AppError } from "@whittle/contracts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { noise, smallCnn } from "../test-models.ts";
import { argMax, classify } from "./classify.ts";
import { fusedOperators } from "./fused.ts";
import { createSession, type Session } from "./session.ts";

let session: Session;
beforeAll(async () => {
  session = await createSession(smallCnn(), { threads: 2 });
});
afterAll(() => session.release());

describe("a session", () => {
  it("says what the model takes and gives", () => {
    expect(session.inputs).toEqual([{ name: "x", datatype: "FP32", shape: [-1, 8, 8, 2] }]);
    expect(session.outputs).toEqual([{ name: "logits", datatype: "FP32", shape: [-1, 3] }]);
  });

  it("names every input that is missing, unknown, or of the wrong type, shape or length", async () => {
    const data = noise(128);
    const feeds = {
      missing: {},
      unknown: { x: { shape: [1, 8, 8, 2], datatype: "FP32", data }, z: { shape: [1], datatype: "FP32", data } },
      type: { x: { shape: [1, 8, 8, 2], datatype: "INT32", data: new Int32Array(128) } },
      shape: { x: { shape: [1, 2, 8, 8], datatype: "FP32", data } },
      length: { x: { shape: [2, 8, 8, 2], datatype: "FP32", data } },
    } as const;
    const messages = await Promise.all(
      Object.values(feeds).map((feed) =>
        session.run({ ...feed }).catch((error: unknown) => (error instanceof AppError ? error.issues : [])),
      ),
    );
    expect(messages).toEqual([
      [{ path: "inputs.x", message: "is missing" }],
      [{ path: "inputs.z", message: "is not an input; there are: x" }],
      [{ path: "inputs.x", message: "is INT32, must be FP32" }],
      [{ path: "inputs.x", message: "has shape [1, 2, 8, 8], must be [-1, 8, 8, 2] (-1: any size)" }],
      [{ path: "inputs.x", message: "has 128 elements, its shape says 256" }],
    ]);
  });

  it("is refused as corrupt for bytes that are not a model", async () => {
    await expect(createSession(new TextEncoder().encode("no model"))).rejects.toMatchObject({ code: "corrupt" });
  });
});

describe("classifying", () => {
  it("gives the same logits in batches of any size, the last one smaller", async () => {
    const x = noise(7 * 128, 5);
    const whole = await classify(session, x, [8, 8, 2], 7);
    expect(await classify(session, x, [8, 8, 2], 3)).toEqual({
      logits: expect.objectContaining({ length: 21 }),
      predictions: whole.predictions,
    });
    expect(whole.predictions).toEqual(argMax(whole.logits, 3));
  });

  it("takes the first of equal logits", () => {
    expect([...argMax(Float32Array.of(1, 3, 3, -2, -5, -2), 3)]).toEqual([1, 0]);
  });

  it("refuses what is not whole samples", async () => {
    await expect(classify(session, noise(100), [8, 8, 2], 4)).rejects.toMatchObject({ code: "invalid_request" });
  });
});

describe("the graph that really runs", () => {
  it("has the layer and its activation in one operator", async () => {
    const counts = await fusedOperators(smallCnn());
    expect(counts).not.toHaveProperty("Relu");
    expect(counts).toMatchObject({ MaxPool: 1, Gemm: 1 });
  });
});
