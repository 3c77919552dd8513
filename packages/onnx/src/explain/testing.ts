import { z } from "zod";

const numbers = z.array(z.number());

const file = z.object({
  /** Of 7 players; the worth of a coalition stands where its bits say. */
  games: z.array(z.object({ worths: numbers, values: numbers })),
  /** The first sample of the imported cnn.onnx, in patches of 3 and of 2 pixels; softmax, baseline 0. */
  image: z.object({
    class: z.int(),
    explanations: z.array(z.object({ patch: z.int(), values: numbers, value: z.number(), baseline: z.number() })),
  }),
});

/** What `fixtures/brute_force.py` wrote. */
export function bruteForce(text: string) {
  return file.parse(JSON.parse(text));
}
