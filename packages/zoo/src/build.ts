import { AppError, parse } from "@whittle/contracts";
import { mixSeed, type tf } from "@whittle/engine";
import type { z } from "zod";
import type { ModelFamily } from "./contracts.ts";
import { misfit, type SampleShape } from "./samples.ts";

/** What a model must take and tell apart. */
export interface ModelShape extends SampleShape {
  classes: number;
  /** Fixes the first weights. */
  seed: number;
}

export interface BuildShape extends Omit<ModelShape, "seed"> {
  /** A new seed at each call, for the initializers. */
  seeds: () => number;
}

export type Build = (params: unknown, shape: ModelShape) => tf.LayersModel;

/**
 * Makes a family's build function from one that takes parsed parameters. Every layer must have a name, since tfjs numbers unnamed ones
 * over the whole process and equal builds would differ; the last layer gives logits, without an activation. Parameters that are wrong,
 * and samples that the family does not take, are refused before.
 */
export function defineBuild<P extends z.ZodObject>(
  family: ModelFamily<P>,
  build: (params: z.output<P>, shape: BuildShape) => tf.LayersModel,
): Build {
  return (params, { seed, ...shape }) => {
    let drawn = 0;
    // tfjs takes a seed of 0 for none.
    const seeds = () => mixSeed(seed, (drawn += 1)) || 1;
    const parsed = parse(family.params, params, `The parameters of ${family.name}`, "familyParams");
    const problem = misfit(family, shape);
    if (problem !== undefined)
      throw new AppError("invalid_request", problem, { issues: [{ path: "family", message: problem }] });
    return build(parsed, { ...shape, seeds });
  };
}
