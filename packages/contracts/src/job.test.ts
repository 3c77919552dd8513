import { expect, it } from "vitest";
import { z } from "zod";
import { defineJob, modelReferences, outputSpec, replaceReferences, stepReferences } from "./job.ts";
import { pipelineRequest } from "./pipeline.ts";
import { modelReference } from "./references.ts";

const definition = defineJob({
  kind: "blend",
  title: "Blend",
  description: "Takes two models.",
  params: z.strictObject({
    model: modelReference,
    teacher: modelReference.optional(),
    teachers: z.array(z.strictObject({ model: modelReference })).optional(),
  }),
  models: { model: "base", teacher: "teacher", "teachers.*.model": "teacher" },
  publishes: true,
  example: { model: "a@1" },
});

it("finds the references to models in parameters", () => {
  expect(modelReferences(definition, { model: "a@1", teacher: "$t", other: "b" })).toEqual([
    { param: "model", reference: "a@1", role: "base" },
    { param: "teacher", reference: "$t", role: "teacher" },
  ]);
});

const listed = { model: "a@1", teachers: [{ model: "$t", weight: 2 }, {}, { model: "c@prod" }], steps: [1] };

it("finds the references in each item of a list", () => {
  expect(modelReferences(definition, listed).slice(1)).toEqual([
    { param: "teachers.0.model", reference: "$t", role: "teacher" },
    { param: "teachers.2.model", reference: "c@prod", role: "teacher" },
  ]);
  expect(stepReferences(definition, listed)).toEqual(["t"]);
  for (const teachers of [{ model: "b" }, "b", null, [null, "b"]])
    expect(modelReferences(definition, { model: "a@1", teachers })).toHaveLength(1);
});

it("puts other references in the place of some, and leaves the rest and the given parameters as they are", () => {
  const replaced = replaceReferences(listed, { model: "b", "teachers.0.model": "d" });
  expect(replaced).toEqual({ ...listed, model: "b", teachers: [{ model: "d", weight: 2 }, {}, { model: "c@prod" }] });
  expect(listed).toMatchObject({ model: "a@1", teachers: [{ model: "$t" }, {}, {}] });
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
