import { readFile } from "node:fs/promises";
import { initEngine, tf } from "@whittle/engine";
import { beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { distillationLoss } from "./distillation.ts";

const rows = z.array(z.array(z.number()));
const fixture = z.object({
  teacher: rows,
  student: rows,
  labels: z.array(z.number()),
  cases: z.array(z.object({ temperature: z.number(), alpha: z.number(), loss: z.number(), gradient: rows })),
});
const torch = fixture.parse(
  JSON.parse(await readFile(new URL("fixtures/torch-distillation.json", import.meta.url), "utf8")),
);

describe("distillationLoss", () => {
  beforeAll(async () => {
    await initEngine();
  });

  it("agrees with a case worked by hand", () => {
    // Two classes, T = 2: the teacher's logits (2 ln 3, 0) soften to (3/4, 1/4), the student's (0, 0) to (1/2, 1/2).
    // KL = 3/4 ln(3/2) + 1/4 ln(1/2), CE = ln 2.
    const kl = 0.75 * Math.log(1.5) + 0.25 * Math.log(0.5);
    const loss = distillationLoss(
      tf.tensor2d([[0, 0]]),
      tf.tensor2d([[2 * Math.log(3), 0]]),
      tf.tensor1d([1], "int32"),
      {
        temperature: 2,
        alpha: 0.25,
      },
    );
    expect(loss.dataSync()[0]).toBeCloseTo(0.25 * Math.log(2) + 0.75 * 4 * kl, 6);
  });

  it.each(torch.cases)("gives torch's loss and gradient at T = $temperature, alpha = $alpha", (expected) => {
    const teacher = tf.tensor2d(torch.teacher);
    const labels = tf.tensor1d(torch.labels, "int32");
    const { value, grad } = tf.valueAndGrad((student) => distillationLoss(student, teacher, labels, expected))(
      tf.tensor2d(torch.student),
    );
    expect(value.dataSync()[0]).toBeCloseTo(expected.loss, 4);
    const gradient = Array.from(grad.dataSync());
    for (const [i, g] of expected.gradient.flat().entries()) expect(gradient[i]).toBeCloseTo(g, 5);
  });

  it("is zero when the student answers as the teacher does and the labels do not count", () => {
    const logits = tf.tensor2d([[3, -1, 0.5]]);
    const loss = distillationLoss(logits, logits, tf.tensor1d([1], "int32"), { temperature: 5, alpha: 0 });
    expect(loss.dataSync()[0]).toBeCloseTo(0, 6);
  });
});
