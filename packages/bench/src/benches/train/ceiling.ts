import { compile, modelWeights, tf } from "@whittle/engine";
import { analyse, exportOnnx } from "@whittle/onnx";
import type { TrainCase } from "./cases.ts";
import type { Samples } from "./samples.ts";
import { buildCase } from "./tfjs.ts";

/** What TensorFlow reaches at most on this machine's cores. */
export interface Peak {
  /** Multiplications and additions a second, in products of large matrices. */
  flops: number;
  /** Bytes read and written a second, in sums of arrays that fit no cache. */
  bandwidth: number;
}

const side = 1536;
const elements = 2 ** 24;
const float32Bytes = 4;
const repetitions = 5;

/** Measures both with as many operations at a time as there are threads; the best of {@link repetitions}. */
export function measurePeak(threads: number): Peak {
  const rate = (shape: number[], work: number, combine: typeof tf.matMul | typeof tf.add): number => {
    const inputs = Array.from({ length: 2 * threads }, (_, seed) =>
      tf.randomUniform(shape, -1, 1, "float32", seed + 1),
    );
    const [left, right] = [inputs.slice(0, threads), inputs.slice(threads)];
    const run = compile(() => left.map((a, at) => tf.max(combine(a, right[at] ?? a))));
    const times = Array.from({ length: repetitions + 1 }, () => {
      const begin = performance.now();
      tf.dispose(run());
      return (performance.now() - begin) / 1000;
    });
    run.dispose();
    tf.dispose(inputs);
    return (threads * work) / Math.min(...times.slice(1));
  };
  return {
    flops: rate([side, side], 2 * side ** 3, tf.matMul),
    bandwidth: rate([elements], 4 * float32Bytes * elements, tf.add),
  };
}

/**
 * Samples per second that no way to train can pass here: a step multiplies forward and backward, at least 4 operations for each
 * multiply-accumulate of the model (6 but in the first layer, whose inputs need no gradient), and Adam reads and writes weight, gradient and two averages.
 */
export function ceiling(trainCase: TrainCase, data: Samples, { flops, bandwidth }: Peak): number {
  const { macs, parameters } = countsOf(trainCase, data);
  const computing = (4 * macs * trainCase.batchSize) / flops;
  const moving = (8 * float32Bytes * parameters) / bandwidth;
  return trainCase.batchSize / Math.max(computing, moving);
}

function countsOf(trainCase: TrainCase, data: Samples): { macs: number; parameters: number } {
  const model = buildCase(trainCase, data);
  const spec = (name: string, shape: number[]) => ({ name, datatype: "FP32" as const, shape: [-1, ...shape] });
  const { inputShape, classes } = data.shape;
  const signature = { inputs: [spec("input", inputShape)], outputs: [spec("logits", [classes])] };
  const onnx = exportOnnx({ topology: model.toJSON(undefined, false), weights: modelWeights(model), signature });
  model.dispose();
  return analyse(onnx);
}
