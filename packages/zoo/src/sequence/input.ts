import { tf } from "@whittle/engine";
import type { BuildShape } from "../build.ts";
import { apply } from "../layers.ts";

/** A model's input, and what stands for each of its steps: [steps, features]. */
export interface Sequence {
  input: tf.SymbolicTensor;
  steps: tf.SymbolicTensor;
}

/** Takes token ids [steps] by an embedding; rows of numbers [steps, features] as they are; an image [height, width, channels] row by row. */
export function sequenceInput(embedding: number, shape: BuildShape): Sequence {
  const { inputShape, vocabulary } = shape;
  const input = tf.input({ name: "input", shape: inputShape });
  if (vocabulary !== undefined) return { input, steps: embedTokens(input, vocabulary, embedding, shape.seeds()) };
  const [steps = 0, ...features] = inputShape;
  if (features.length === 1) return { input, steps: input };
  const targetShape = [steps, features.reduce((product, size) => product * size, 1)];
  return { input, steps: apply(tf.layers.reshape({ name: "rows", targetShape }), input) };
}

/** Token ids [steps] as [steps, width]; the numbers begin as small as those of trained embeddings are. */
export function embedTokens(input: tf.SymbolicTensor, tokens: number, width: number, seed: number): tf.SymbolicTensor {
  const embeddingsInitializer = tf.initializers.randomNormal({ mean: 0, stddev: 0.1, seed });
  const embedding = { name: "embedding", inputDim: tokens, outputDim: width, embeddingsInitializer };
  return apply(tf.layers.embedding(embedding), input);
}
