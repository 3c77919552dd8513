import { defineJob, modelReference } from "@whittle/contracts";
import { openStore } from "@whittle/store";
import { expect, it, vi } from "vitest";
import { z } from "zod";
import { checkModels } from "./model-references.ts";

const teachers = z.array(z.strictObject({ model: modelReference })).max(30);
const catalog = {
  learn: defineJob({
    kind: "learn",
    title: "Learn",
    description: "Learns.",
    params: z.strictObject({ teachers }),
    models: { "teachers.*.model": "teacher" },
    publishes: true,
    example: { teachers: [{ model: "a" }] },
  }),
};
const store = await openStore("memory:");
const learn = (models: string[]) => ({
  kind: "learn",
  params: { teachers: models.map((model) => ({ model })) },
  at: "p",
});
const numbered = (count: number): string[] => Array.from({ length: count }, (_, at) => `missing-${at}`);

async function looks(models: string[]): Promise<{ paths: string[]; asked: number }> {
  const resolve = vi.spyOn(store, "resolve");
  const issues = await checkModels(store, catalog, [learn(models)]).then(
    () => [],
    (error: { issues: { path: string }[] }) => error.issues,
  );
  const asked = resolve.mock.calls.length;
  resolve.mockRestore();
  return { paths: issues.map(({ path }) => path), asked };
}

it("looks a model up once, however often it is named", async () => {
  expect(await looks(["same", "same", "same"])).toEqual({
    paths: ["p.teachers.0.model", "p.teachers.1.model", "p.teachers.2.model"],
    asked: 1,
  });
});

it("names twenty that are missing and looks for no more", async () => {
  const { paths, asked } = await looks(numbered(30));
  expect([paths.length, asked]).toEqual([20, 20]);
});

it("does not look for the models of parameters that the kind refuses", async () => {
  expect(await looks(numbered(31))).toEqual({ paths: [], asked: 0 });
});
