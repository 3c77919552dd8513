import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openBench, testJobKind, tinyTraining, type JobBench } from "../testing.ts";

const { dataset: _ofTheTeacher, ...training } = tinyTraining;
const params = { ...training, teacher: "tiny-base", familyParams: { hidden: [8] }, temperature: 3, alpha: 0.4 };

testJobKind("distill", { params, reseeded: { ...params, seed: 8 } });

describe("distilling", () => {
  let bench: JobBench;
  beforeAll(async () => {
    bench = await openBench();
  });
  afterAll(() => bench.close());

  const metricsOf = async (reference: string) =>
    (await bench.store.manifest((await bench.store.resolve(reference)).digest)).metrics;

  it("teaches a student that sees no labels", async () => {
    await bench.run(
      "distill",
      { ...params, familyParams: { hidden: [16] }, alpha: 0, epochs: 6 },
      { id: "unlabelled" },
    );
    const [teacher, student] = [await metricsOf("tiny-base"), await metricsOf("unlabelled")];
    expect(student.accuracy?.value).toBeGreaterThan(0.9 * (teacher.accuracy?.value ?? 1));
  });

  it("trains as without a teacher when only the labels count", async () => {
    const student = { ...training, familyParams: { hidden: [8] } };
    await bench.run("train", { ...student, dataset: "tiny" }, { id: "alone" });
    await bench.run("distill", { ...student, teacher: "tiny-base", alpha: 1, temperature: 9 }, { id: "labelled" });
    const [alone, labelled] = [await metricsOf("alone"), await metricsOf("labelled")];
    expect(labelled.loss).toBeCloseTo(alone.loss ?? Number.NaN, 4);
  });
});
