import { tf } from "@whittle/engine";

type Args = Parameters<typeof tf.layers.layerNormalization>[0];

/** tfjs' own class, which it only gives a function for. */
const Stock: {
  new (args?: Args): ReturnType<typeof tf.layers.layerNormalization>;
  fromConfig: typeof tf.serialization.Serializable.fromConfig;
} = Object.getPrototypeOf(tf.layers.layerNormalization()).constructor;

/**
 * tfjs' LayerNormalization, under its name and with its weights, computed otherwise where it normalizes the last axis: the gradient of its
 * own goes through one operation for each step of each sample.
 */
export class LayerNormalization extends Stock {
  static readonly className = "LayerNormalization";

  override call(inputs: tf.Tensor | tf.Tensor[], kwargs: Parameters<tf.layers.Layer["call"]>[1]) {
    const [x, ...others] = [inputs].flat();
    const [axis = -1, ...axes] = [this.getConfig()["axis"]].flat().map(Number);
    if (!x || others.length > 0 || axes.length > 0 || axis !== x.rank - 1) return super.call(inputs, kwargs);
    return tf.tidy(() => {
      const weights = this.getWeights();
      const [gamma, beta] = [this.scale ? weights[0] : undefined, this.center ? weights.at(-1) : undefined];
      const centred = tf.sub(x, tf.mean(x, -1, true));
      const variance = tf.mean(tf.square(centred), -1, true);
      const normalized = tf.mul(centred, tf.rsqrt(tf.add(variance, this.epsilon)));
      const scaled = gamma ? tf.mul(normalized, gamma) : normalized;
      return beta ? tf.add(scaled, beta) : scaled;
    });
  }
}

tf.serialization.registerClass(LayerNormalization);
