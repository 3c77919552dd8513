import { intAttribute } from "../proto/node.ts";
import type { QuantizedLayer } from "./plan.ts";
import type { Observed } from "./statistics.ts";

/** How many rows are enough for a layer: more say the same again and take longer. */
const MAX_ROWS = 4096;

function ints({ node }: QuantizedLayer, name: string, otherwise: readonly number[]): readonly number[] {
  const found = node.attribute.find((each) => each.name === name)?.ints;
  return found && found.length > 0 ? found : otherwise;
}

/** How a kernel slides along one axis of what it reads. */
interface Slide {
  size: number;
  kernel: number;
  stride: number;
  dilation: number;
  /** Zeros before and behind. */
  pads: [before: number, behind: number];
}

/** Along height and width; a sequence has a height of 1. @param shape of what the layer reads */
function slidesOf(layer: QuantizedLayer, shape: readonly number[]): [Slide, Slide] {
  const sizes = shape.slice(2);
  const [strides, dilations] = [ints(layer, "strides", []), ints(layer, "dilations", [])];
  const slides = sizes.map((size, axis) => {
    const kernel = layer.weight.dims[axis + 2] ?? 1;
    const [stride, dilation] = [strides[axis] ?? 1, dilations[axis] ?? 1];
    const pads = padsOf(layer, axis, sizes.length, { size, stride, span: (kernel - 1) * dilation + 1 });
    return { size, kernel, stride, dilation, pads };
  });
  const point: Slide = { size: 1, kernel: 1, stride: 1, dilation: 1, pads: [0, 0] };
  const [y = point, x] = slides;
  return x ? [y, x] : [point, y];
}

/** With `auto_pad` SAME there are as many places as strides in the size, and an odd zero is behind (UPPER) or before (LOWER). */
function padsOf(
  layer: QuantizedLayer,
  axis: number,
  axes: number,
  { size, stride, span }: { size: number; stride: number; span: number },
): [number, number] {
  const mode = layer.node.attribute.find(({ name }) => name === "auto_pad")?.s;
  const auto = mode ? new TextDecoder().decode(mode) : "NOTSET";
  const pads = ints(layer, "pads", []);
  if (!auto.startsWith("SAME")) return auto === "VALID" ? [0, 0] : [pads[axis] ?? 0, pads[axis + axes] ?? 0];
  const total = Math.max(0, (Math.ceil(size / stride) - 1) * stride + span - size);
  const [less, more] = [Math.floor(total / 2), Math.ceil(total / 2)];
  return auto === "SAME_UPPER" ? [less, more] : [more, less];
}

/** Whether the place `at` of a stream of `total` is among about `wanted` that are spread over it, the same at every run. */
function isDrawn(at: number, total: number, wanted: number): boolean {
  return total <= wanted || (Math.imul(at + 1, 2_654_435_761) >>> 0) / 2 ** 32 < wanted / total;
}

/**
 * G = mean of x xᵀ over the rows x that a layer multiplies its weights with: an input vector of a dense layer, an unrolled patch of a
 * convolution, for each of its channel groups. With it the error of changed weights is ‖(W - Ŵ) x‖² = (W - Ŵ) G (W - Ŵ)ᵀ, without
 * keeping any activation.
 */
export class Gram {
  readonly groups: number;
  /** Length of a row. */
  readonly inputs: number;
  readonly #layer: QuantizedLayer;
  readonly #samples: number;
  readonly #sums: Float64Array;
  readonly #patch: Float64Array;
  #seen = 0;
  #rows = 0;

  constructor(layer: QuantizedLayer, samples: number) {
    const { node, weight, layout } = layer;
    this.#layer = layer;
    this.#samples = samples;
    this.groups = node.opType === "Conv" ? intAttribute(node, "group", 1) : 1;
    this.inputs = weight.dims.reduce((product, size) => product * size, 1) / layout.channels;
    this.#sums = new Float64Array(this.groups * this.inputs ** 2);
    this.#patch = new Float64Array(this.inputs);
  }

  /** [groups, inputs, inputs]. */
  matrix(): Float32Array {
    const { inputs } = this;
    return Float32Array.from(this.#sums, (_sum, at) => {
      const [group, row, column] = [Math.floor(at / inputs ** 2), Math.floor(at / inputs) % inputs, at % inputs];
      const upper = (group * inputs + Math.min(row, column)) * inputs + Math.max(row, column);
      return (this.#sums[upper] ?? 0) / Math.max(1, this.#rows);
    });
  }

  add(observed: Observed): void {
    if (this.#layer.node.opType === "Conv") this.#addPatches(observed);
    else this.#addVectors(observed);
  }

  #addVectors({ values, shape }: Observed): void {
    const { inputs } = this;
    const total = (values.length / inputs / (shape[0] ?? 1)) * this.#samples;
    for (let from = 0; from < values.length; from += inputs) {
      if (!isDrawn(this.#seen++, total, MAX_ROWS)) continue;
      this.#patch.set(values.subarray(from, from + inputs));
      this.#rows += 1;
      this.#addPatch(0);
    }
  }

  #addPatches({ values, shape }: Observed): void {
    const [batch = 0, channels = 0] = shape;
    const [y, x] = slidesOf(this.#layer, shape);
    const [height, kernelY, strideY, dilateY] = [y.size, y.kernel, y.stride, y.dilation];
    const [width, kernelX, strideX, dilateX] = [x.size, x.kernel, x.stride, x.dilation];
    const [[top, bottom], [left, right]] = [y.pads, x.pads];
    const rows = Math.floor((height + top + bottom - (kernelY - 1) * dilateY - 1) / strideY) + 1;
    const columns = Math.floor((width + left + right - (kernelX - 1) * dilateX - 1) / strideX) + 1;
    const ofGroup = channels / this.groups;
    const fill = (sample: number, group: number, atY: number, atX: number) => {
      let to = 0;
      for (let c = group * ofGroup; c < (group + 1) * ofGroup; c++)
        for (let ky = 0; ky < kernelY; ky++)
          for (let kx = 0; kx < kernelX; kx++) {
            const [row, column] = [atY * strideY - top + ky * dilateY, atX * strideX - left + kx * dilateX];
            const inside = row >= 0 && row < height && column >= 0 && column < width;
            this.#patch[to++] = inside ? (values[((sample * channels + c) * height + row) * width + column] ?? 0) : 0;
          }
    };
    for (let place = 0; place < batch * rows * columns; place++) {
      if (!isDrawn(this.#seen++, rows * columns * this.#samples, MAX_ROWS)) continue;
      this.#rows += 1;
      for (let group = 0; group < this.groups; group++) {
        fill(Math.floor(place / (rows * columns)), group, Math.floor(place / columns) % rows, place % columns);
        this.#addPatch(group);
      }
    }
  }

  /** Adds the upper triangle of x xᵀ of the patch. */
  #addPatch(group: number): void {
    const [patch, sums, inputs] = [this.#patch, this.#sums, this.inputs];
    for (let row = 0; row < inputs; row++) {
      const value = patch[row] ?? 0;
      if (value === 0) continue;
      const start = (group * inputs + row) * inputs;
      for (let column = row; column < inputs; column++) {
        sums[start + column] = (sums[start + column] ?? 0) + value * (patch[column] ?? 0);
      }
    }
  }
}
