import { AppError } from "@whittle/contracts";
import { tf } from "@whittle/engine";

type LayerArgs = ConstructorParameters<typeof tf.layers.Layer>[0];

/**
 * softmax(Q K' / sqrt(d)) V for each head (Vaswani et al., 1706.03762), of queries, keys and values [N, steps, heads * d]. It has no weights:
 * the projections before and after it are dense layers.
 */
export class ScaledDotProductAttention extends tf.layers.Layer {
  static readonly className = "ScaledDotProductAttention";
  readonly #heads: number;

  constructor(args: LayerArgs & { heads: number }) {
    super(args);
    this.#heads = args.heads;
  }

  override computeOutputShape(inputShapes: tf.Shape[]): tf.Shape {
    const [queries = [], , values = []] = inputShapes;
    return [...queries.slice(0, -1), values.at(-1) ?? null];
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const [queries, keys, values] = [inputs].flat().map((input) => this.#split(input));
      if (!queries || !keys || !values) throw new AppError("internal", `${this.name} needs queries, keys and values`);
      const scale = 1 / Math.sqrt(queries.shape[3] ?? 1);
      const scores = tf.softmax(tf.mul(tf.matMul(queries, keys, false, true), scale));
      const [samples = 0, , steps = 0, depth = 0] = values.shape;
      const attended = tf.transpose(tf.matMul(scores, values), [0, 2, 1, 3]);
      return tf.reshape(attended, [samples, queries.shape[2] ?? steps, this.#heads * depth]);
    });
  }

  /** [N, steps, heads * d] as [N, heads, steps, d]. */
  #split(input: tf.Tensor): tf.Tensor {
    const [samples = 0, steps = 0, width = 0] = input.shape;
    return tf.transpose(tf.reshape(input, [samples, steps, this.#heads, width / this.#heads]), [0, 2, 1, 3]);
  }

  override getConfig() {
    return { ...super.getConfig(), heads: this.#heads };
  }
}

tf.serialization.registerClass(ScaledDotProductAttention);
