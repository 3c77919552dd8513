import { defineFamily } from "../../contracts.ts";
import { sequences } from "../../samples.ts";
import { recurrentParams } from "../../sequence/params.ts";

export const family = defineFamily({
  name: "lstm",
  title: "Long short-term memory",
  description:
    "Layers of long short-term memory (Hochreiter, Schmidhuber, 1997): for token ids [steps], rows [steps, features], or images row by row.",
  params: recurrentParams,
  takes: sequences,
  examples: [
    { params: { units: [8], embedding: 6 }, inputShape: [12], vocabulary: 20 },
    { params: { units: [6, 8], dropout: 0.2 }, inputShape: [8, 8, 1] },
  ],
});
