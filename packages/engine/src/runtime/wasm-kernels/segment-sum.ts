import { z } from "zod";
import { tf } from "../../tf.ts";
import { composeKernel } from "./compose.ts";

const attrs = z.object({ numSegments: z.number() });

/**
 * The gradient of a gather (of an embedding): rows of x [n, ...] are added up by their segment, [numSegments, ...]. A loop in JavaScript,
 * as a product with one-hot rows would need n * numSegments numbers; rows whose segment is out of range are left out.
 */
export function registerSegmentSum(): void {
  composeKernel("UnsortedSegmentSum", attrs, (input, { numSegments }) => {
    const x = input("x");
    const segments = input("segmentIds").dataSync();
    const values = x.dataSync();
    const width = segments.length === 0 ? 0 : values.length / segments.length;
    const sums = new Float32Array(numSegments * width);
    for (const [row, segment] of segments.entries()) {
      if (segment < 0 || segment >= numSegments) continue;
      const sum = sums.subarray(segment * width, (segment + 1) * width);
      for (const at of sum.keys()) sum[at] = (sum[at] ?? 0) + (values[row * width + at] ?? 0);
    }
    return tf.tensor(sums, [numSegments, ...x.shape.slice(1)], x.dtype);
  });
}
