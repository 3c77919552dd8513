import { defineFamily } from "../../contracts.ts";
import { sequences } from "../../samples.ts";
import { recurrentParams } from "../../sequence/params.ts";

export const family = defineFamily({
  name: "gru",
  title: "Gated recurrent units",
  description:
    "Layers of gated recurrent units (Cho et al., 1406.1078): for token ids [steps], rows [steps, features], or images row by row.",
  params: recurrentParams,
  takes: sequences,
  examples: [
    { params: { units: [8], embedding: 6 }, inputShape: [12], vocabulary: 20 },
    { params: { units: [6, 8], dropout: 0.2 }, inputShape: [8, 8, 1] },
  ],
});
