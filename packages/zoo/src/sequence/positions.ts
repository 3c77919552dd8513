import { tf } from "@whittle/engine";

type LayerArgs = ConstructorParameters<typeof tf.layers.Layer>[0];

/** Adds a learned vector to each step of [N, steps, width]; the vectors begin normal with a standard deviation of 0.02. */
export class LearnedPositions extends tf.layers.Layer {
  static readonly className = "LearnedPositions";
  readonly #seed: number;
  #positions?: ReturnType<tf.layers.Layer["addWeight"]>;

  constructor(args: LayerArgs & { seed: number }) {
    super(args);
    this.#seed = args.seed;
  }

  override build(inputShape: tf.Shape): void {
    const initializer = tf.initializers.randomNormal({ mean: 0, stddev: 0.02, seed: this.#seed });
    this.#positions = this.addWeight("positions", inputShape.slice(1), "float32", initializer);
    super.build(inputShape);
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => tf.add([inputs].flat()[0] ?? 0, this.#positions?.read() ?? 0));
  }

  override getConfig() {
    return { ...super.getConfig(), seed: this.#seed };
  }
}

tf.serialization.registerClass(LearnedPositions);
