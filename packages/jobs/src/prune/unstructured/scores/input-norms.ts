import { samplesAt, tf, type Inputs } from "@whittle/engine";

const BATCH = 64;

/** A kernel that is multiplied with a layer's input. */
interface Read {
  kernel: string;
  input: tf.SymbolicTensor;
}

/**
 * The L2 norms of the inputs of a model's layers over samples and positions, one for each channel (the last axis), by the names of the
 * kernels that are multiplied with them.
 * @param places of the samples to look at.
 */
export function inputNorms(model: tf.LayersModel, x: Inputs, places: Int32Array): Map<string, Float32Array> {
  const reads = model.layers.flatMap(readsOf);
  const inputs = [...new Set(reads.map(({ input }) => input))];
  const tapped = tf.model({ inputs: model.inputs, outputs: inputs });
  const squares = inputs.map(({ shape }) => new Float64Array(shape.at(-1) ?? 0));
  for (let begin = 0; begin < places.length; begin += BATCH) {
    const sums = tf.tidy(() => {
      const made = tapped.apply(samplesAt(x, places.subarray(begin, begin + BATCH)), { training: false });
      return (Array.isArray(made) ? made : [made]).map((value) => squareSums(value).dataSync());
    });
    for (const [at, sum] of sums.entries()) sum.forEach((value, channel) => (squares[at]![channel]! += value));
  }
  const of = (name: string) =>
    reads.filter(({ kernel }) => kernel === name).map(({ input }) => squares[inputs.indexOf(input)]);
  const norms = reads.map(({ kernel }) => [kernel, norm(of(kernel))] as const);
  return new Map(norms);
}

/** A layer that is used several times reads several inputs. Inner inputs, such as a recurrent layer's state, are not looked at. */
function readsOf(layer: tf.layers.Layer): Read[] {
  const kernels = layer.weights.filter(({ originalName }) => /\/(depthwise_)?kernel$/.test(originalName));
  return kernels.flatMap(({ originalName: kernel, shape }) =>
    layer.inboundNodes.flatMap((_node, at) => {
      const input = layer.getInputAt(at);
      return !Array.isArray(input) && input.shape.at(-1) === shape.at(-2) ? [{ kernel, input }] : [];
    }),
  );
}

function squareSums(value: tf.Tensor | tf.SymbolicTensor): tf.Tensor {
  if (!(value instanceof tf.Tensor)) throw new TypeError("a model that is applied to a tensor must give tensors");
  const axes = Array.from({ length: value.rank - 1 }, (_, axis) => axis);
  return tf.sum(tf.square(value), axes);
}

function norm(squares: (Float64Array | undefined)[]): Float32Array {
  const channels = squares[0]?.length ?? 0;
  return Float32Array.from({ length: channels }, (_, channel) =>
    Math.sqrt(squares.reduce((sum, each) => sum + (each?.[channel] ?? 0), 0)),
  );
}
