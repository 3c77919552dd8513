import { AppError, parse } from "@whittle/contracts";
import { describe, expect, it } from "vitest";
import { definition as distill } from "../distill/contract.ts";
import { definition as train } from "../train/contract.ts";

function issuesOf(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    if (error instanceof AppError) return error.issues;
  }
  return [];
}

describe("a family that can't take the samples of the data set", () => {
  const message = "a cnn takes images [height, width, channels], not [32] of 81 tokens, as udhr has";

  it("is refused by train at the family", () => {
    const refused = issuesOf(() => parse(train.params, { family: "cnn", dataset: "udhr" }, "train", "params"));
    expect(refused).toEqual([{ path: "params.family", message }]);
    const given = { family: "gru", dataset: "fashion-mnist" };
    expect(issuesOf(() => parse(train.params, given, "train", "params"))).toEqual([]);
  });

  it("is refused also where it is an mlp, which takes no token ids", () => {
    const given = { family: "mlp", dataset: "udhr" };
    const refused = [{ path: "params.family", message: expect.stringContaining("a mlp takes vectors") }];
    expect(issuesOf(() => parse(train.params, given, "train", "params"))).toEqual(refused);
    const student = { ...given, teacher: "t@1" };
    expect(issuesOf(() => parse(distill.params, student, "distill", "params"))).toEqual(refused);
  });

  it("is refused by distill where the data set is named", () => {
    const given = { teacher: "t@1", family: "cnn" };
    const refused = issuesOf(() => parse(distill.params, { ...given, dataset: "udhr" }, "distill", "params"));
    expect(refused).toEqual([{ path: "params.family", message }]);
    expect(issuesOf(() => parse(distill.params, given, "distill", "params"))).toEqual([]);
  });
});
