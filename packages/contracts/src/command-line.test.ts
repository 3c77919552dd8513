import { describe, expect, it } from "vitest";
import { z } from "zod";
import { parseCommandLine } from "./command-line.ts";

const schema = z.object({
  rounds: z.coerce.number().int().min(1).default(5),
  out: z.string().optional(),
  quick: z.literal(true).optional(),
});
const read = (...args: string[]) => parseCommandLine(schema, args, { flags: ["quick"], arguments: 1 });

describe("a command line", () => {
  it("has options and arguments, in any order", () => {
    expect(read("train", "--quick", "--out", "a.json")).toEqual({
      options: { rounds: 5, out: "a.json", quick: true },
      arguments: ["train"],
    });
    expect(read("--rounds=2", "--out=-", "--", "--train")).toEqual({
      options: { rounds: 2, out: "-" },
      arguments: ["--train"],
    });
  });

  it.each([
    [["--nonsense"], "there is no option --nonsense; there are --rounds, --out, --quick"],
    [["--nonsense=3"], "there is no option --nonsense; there are --rounds, --out, --quick"],
    [["-q"], "there is no option -q; there are --rounds, --out, --quick"],
    [["--out"], "--out needs a value"],
    [["--out", "--quick"], "--out needs a value"],
    [["--quick=yes"], "--quick takes no value"],
    [["--rounds", "0"], "--rounds must be at least 1, not 0"],
    [["--rounds", "many"], "--rounds must be a number"],
    [["a", "b"], "the argument b is one too many"],
  ])("%j is refused in one line", (args, message) => {
    expect(() => read(...args)).toThrow(expect.objectContaining({ code: "invalid_request", message }));
  });
});
