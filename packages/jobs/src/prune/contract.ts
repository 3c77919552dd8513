import { defineJob } from "@whittle/contracts";
import { z } from "zod";
import { structured } from "./structured/contract.ts";
import { l1, random, snip, wanda } from "./unstructured/contract.ts";

const params = z.discriminatedUnion("method", [l1, random, snip, wanda, structured], {
  error: "method must be l1, random, snip, wanda or structured",
});

export type PruneParams = z.infer<typeof params>;

export const definition = defineJob({
  kind: "prune",
  title: "Prune weights or channels",
  description:
    "Methods l1, random, snip and wanda make single weights zero: the file shrinks when it is compressed, the speed stays. Method " +
    "structured removes whole channels (filters, hidden units) with everything that depends on them: a smaller and faster model. " +
    "Both fine-tune the rest where asked to.",
  params,
  models: { model: "base" },
  publishes: true,
  example: { model: "fashion-student@1", method: "structured", amount: 0.5, fineTune: { epochs: 2 } },
});
