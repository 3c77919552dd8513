import { tf, type FitOptions, type ModelWeights } from "@whittle/engine";
import { kMeans } from "./k-means.ts";

/** Which of a layer's weights share one value: those with the same number. */
export interface Sharing {
  /** A number for each weight; 0 for those that are zero and stay so. */
  groups: Int32Array;
  /** Groups, that of the zeros included. */
  count: number;
}

/** Groups the weights of each kernel (two axes or more; no biases, no batch normalization), and gives each group its mean. */
export function shareWeights(
  weights: ModelWeights,
  clusters: number,
): { weights: ModelWeights; sharings: Map<string, Sharing> } {
  const kernels = Object.entries(weights).filter(([, { shape }]) => shape.length >= 2);
  const sharings = new Map(kernels.map(([name, { data }]) => [name, sharingOf(data, clusters)] as const));
  return { weights: averaged(weights, sharings), sharings };
}

function sharingOf(data: Float32Array, clusters: number): Sharing {
  const others = data.filter((weight) => weight !== 0);
  const groups = new Int32Array(data.length);
  if (others.length === 0) return { groups, count: 1 };
  const { centroids, assignment } = kMeans(others, others.length < data.length ? clusters - 1 : clusters);
  let next = 0;
  for (const [at, weight] of data.entries()) if (weight !== 0) groups[at] = (assignment[next++] ?? 0) + 1;
  return { groups, count: centroids.length + 1 };
}

/** The weights with the mean of its group in the place of each. */
export function averaged(weights: ModelWeights, sharings: ReadonlyMap<string, Sharing>): ModelWeights {
  const shared = Object.entries(weights).map(([name, { shape, data }]) => {
    const sharing = sharings.get(name);
    return [name, { shape, data: sharing ? meansOf(data, sharing) : data }] as const;
  });
  return Object.fromEntries(shared);
}

function meansOf(data: Float32Array, { groups, count }: Sharing): Float32Array {
  const sums = new Float64Array(count);
  const members = new Float64Array(count);
  for (const [at, group] of groups.entries()) {
    sums[group] = (sums[group] ?? 0) + (data[at] ?? 0);
    members[group] = (members[group] ?? 0) + 1;
  }
  return data.map((_, at) => {
    const group = groups[at] ?? 0;
    return group === 0 ? 0 : (sums[group] ?? 0) / (members[group] ?? 1);
  });
}

/** What training needs so that the weights of a group stay the same. */
interface SharedTraining extends Required<Pick<FitOptions, "reparametrize">> {
  dispose: () => void;
}

/**
 * The gradient of each weight is the sum of those of its group (Han et al., arXiv 1510.00149, section 3.3), and zero for zeros: as every
 * optimizer here works weight by weight, weights that begin equal stay so, but for the last bits.
 */
export function trainShared(sharings: ReadonlyMap<string, Sharing>): SharedTraining {
  const tensors = new Map([...sharings].map(([name, { groups }]) => [name, tf.tensor1d(groups, "int32")] as const));
  const reparametrize: SharedTraining["reparametrize"] = (name, weight) => {
    const [groups, count] = [tensors.get(name), sharings.get(name)?.count ?? 0];
    return groups ? withSummedGradient(weight, groups, count) : weight;
  };
  return { reparametrize, dispose: () => tf.dispose([...tensors.values()]) };
}

/** The weight as it is, whose gradient is summed over groups. */
function withSummedGradient(weight: tf.Tensor, groups: tf.Tensor1D, count: number): tf.Tensor {
  const shared = tf.customGrad((value) => {
    if (!(value instanceof tf.Tensor)) throw new TypeError("a weight was expected");
    const gradFunc = (dy: tf.Tensor) => {
      const sums = tf.unsortedSegmentSum(tf.reshape(dy, [dy.size]), groups, count);
      const others = tf.concat([tf.zeros([1]), tf.slice(sums, 1)]);
      return tf.reshape(tf.gather(others, groups), dy.shape);
    };
    return { value: tf.clone(value), gradFunc };
  });
  return shared(weight);
}
