import { expect, it } from "vitest";
import { z } from "zod";
import { defineJob, modelReferences, outputSpec, stepReferences } from "./job.ts";
import { pipelineRequest } from "./pipeline.ts";
import { modelReference } from "./references.ts";

const definition = defineJob({
  kind: "blend",
  title: "Blend",
  description: "Takes two models.",
  params: z.strictObject({ model: modelReference, teacher: modelReference.optional() }),
  models: { model: "base", teacher: "teacher" },
  publishes: true,
  example: { model: "a@1" },
});

it("finds the references to models in parameters", () => {
  expect(modelReferences(definition, { model: "a@1", teacher: "$t", other: "b" })).toEqual([
    { param: "model", reference: "a@1" },
    { param: "teacher", reference: "$t" },
  ]);
});

it("finds the pipeline steps that parameters wait for", () => {
  expect(stepReferences(definition, { model: "a@1", teacher: "$t" })).toEqual(["t"]);
  expect(stepReferences(definition, { model: "a@1" })).toEqual([]);
});

it("refuses a mistyped field of an output and of a step", () => {
  expect(outputSpec.safeParse({ name: "small", alais: "prod" }).error?.issues[0]?.message).toContain("alais");
  const steps = [{ step: "a", kind: "blend", output: { name: "small" }, atempts: 2 }];
  expect(pipelineRequest.safeParse({ steps }).error?.issues[0]).toMatchObject({
    path: ["steps", 0],
    message: expect.stringContaining("atempts"),
  });
});
