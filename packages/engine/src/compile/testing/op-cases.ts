import { tf } from "../../tf.ts";

export interface Case {
  /** One maker for each input; the seed changes the numbers and never the shape. */
  inputs: ((seed: number) => tf.Tensor)[];
  fn: (...inputs: tf.Tensor[]) => tf.Tensor | tf.Tensor[];
  /** Whether tfjs can differentiate it. On by default. */
  gradient?: boolean;
}

const normal =
  (...shape: number[]) =>
  (seed: number) =>
    tf.randomNormal(shape, 0, 1, "float32", seed);
const uniform =
  (low: number, high: number, ...shape: number[]) =>
  (seed: number) =>
    tf.randomUniform(shape, low, high, "float32", seed);
const positive = (...shape: number[]) => uniform(0.3, 2, ...shape);
const integers =
  (below: number, ...shape: number[]) =>
  (seed: number) =>
    tf.tidy(() => tf.floor(tf.randomUniform(shape, 0, below, "float32", seed)).toInt());
const booleans =
  (...shape: number[]) =>
  (seed: number) =>
    tf.tidy(() => tf.randomNormal(shape, 0, 1, "float32", seed).greater(0));

const unary = (names: string[], input: Case["inputs"][number], rest: Partial<Case> = {}) =>
  Object.fromEntries(
    names.map((name): [string, Case] => {
      const op: unknown = Reflect.get(tf, name);
      if (typeof op !== "function") throw new TypeError(`tf.${name} is not a function`);
      return [name, { inputs: [input], fn: (x) => tensor(Reflect.apply(op, tf, [x])), ...rest }];
    }),
  );

const binary = (names: string[], inputs: Case["inputs"], rest: Partial<Case> = {}) =>
  Object.fromEntries(
    names.map((name): [string, Case] => {
      const op: unknown = Reflect.get(tf, name);
      if (typeof op !== "function") throw new TypeError(`tf.${name} is not a function`);
      return [name, { inputs, fn: (a, b) => tensor(Reflect.apply(op, tf, [a, b])), ...rest }];
    }),
  );

function tensor(value: unknown): tf.Tensor {
  if (value instanceof tf.Tensor) return value;
  throw new TypeError("not a tensor");
}

const one = (inputs: Case["inputs"], fn: Case["fn"], gradient = true): Case => ({ inputs, fn, gradient });
/** For functions whose types want a rank. */
const as3 = (x: tf.Tensor) => x.as3D(x.shape[0] ?? 1, x.shape[1] ?? 1, x.shape[2] ?? 1);
const as4 = (x: tf.Tensor) => x.as4D(x.shape[0] ?? 1, x.shape[1] ?? 1, x.shape[2] ?? 1, x.shape[3] ?? 1);
const as2 = (x: tf.Tensor) => x.as2D(x.shape[0] ?? 1, x.shape[1] ?? 1);
const image = normal(2, 6, 6, 3);

/** tfjs functions with small inputs, by kind. */
export const cases: Record<string, Record<string, Case>> = {
  "elementwise functions": {
    ...unary(
      ["abs", "neg", "square", "exp", "expm1", "sin", "cos", "tan", "sinh", "cosh", "tanh", "erf"],
      normal(3, 4),
    ),
    ...unary(
      ["relu", "relu6", "elu", "selu", "leakyRelu", "sigmoid", "softplus", "logSigmoid", "atan", "asinh"],
      normal(3, 4),
    ),
    ...unary(["sqrt", "rsqrt", "log", "log1p", "reciprocal"], positive(3, 4)),
    ...unary(["asin", "acos", "atanh"], uniform(-0.9, 0.9, 3, 4)),
    ...unary(["acosh"], uniform(1.1, 3, 3, 4)),
    ...unary(["ceil", "floor", "round", "sign", "step", "zerosLike", "onesLike"], normal(3, 4)),
    ...unary(["isNaN", "isInf", "isFinite"], normal(3, 4), { gradient: false }),
    ...unary(["logicalNot"], booleans(5), { gradient: false }),
    clipByValue: one([normal(3, 4)], (x) => tf.clipByValue(x, -0.5, 0.5)),
    prelu: one([normal(3, 4), positive(3, 4)], (x, a) => tf.prelu(x, a)),
    castToInt: one([normal(3, 4)], (x) => x.toInt()),
    castToBool: one([normal(3, 4)], (x) => x.toBool()),
  },
  "functions of two tensors": {
    ...binary(["add", "sub", "mul", "div"], [normal(3, 4), positive(4)]),
    ...binary(
      ["pow", "mod", "atan2", "floorDiv", "maximum", "minimum", "squaredDifference"],
      [positive(3, 4), positive(3, 4)],
    ),
    ...binary(["equal", "notEqual", "less", "lessEqual", "greater", "greaterEqual"], [normal(3, 4), normal(4)], {
      gradient: false,
    }),
    ...binary(["logicalAnd", "logicalOr", "logicalXor"], [booleans(6), booleans(6)], { gradient: false }),
    divNoNan: one([normal(3, 4), normal(4)], (a, b) => tf.divNoNan(a, b), false),
    integerAdd: one([integers(9, 4), integers(9, 4)], (a, b) => a.add(b)),
    where: one([normal(3, 4), normal(3, 4)], (a, b) => tf.where(tf.eye(3, 4).toBool(), a, b)),
    addN: one([normal(3, 4), normal(3, 4)], (a, b) => tf.addN([a, b, a])),
    dot: one([normal(4), normal(4)], (a, b) => tf.dot(a, b)),
    outerProduct: one([normal(4), normal(3)], (a, b) => tf.outerProduct(a.as1D(), b.as1D())),
  },
  "matrix products": {
    matMul: one([normal(3, 4), normal(4, 5)], (a, b) => tf.matMul(a, b)),
    matMulTransposed: one([normal(4, 3), normal(5, 4)], (a, b) => tf.matMul(a, b, true, true)),
    batchMatMul: one([normal(2, 3, 4), normal(2, 4, 5)], (a, b) => tf.matMul(a, b)),
    broadcastMatMul: one([normal(2, 3, 4), normal(1, 4, 5)], (a, b) => tf.matMul(a, b), false),
    einsum: one([normal(3, 4), normal(4, 5)], (a, b) => tf.einsum("ij,jk->ik", a, b), false),
    fusedMatMul: one([normal(3, 4), normal(4, 5), normal(5)], (a, b, bias) =>
      tf.fused.matMul({ a, b, bias, activation: "relu" }),
    ),
  },
  reductions: {
    ...unary(["sum", "mean", "max", "min", "prod", "logSumExp"], normal(3, 4)),
    sumAxis: one([normal(3, 4, 2)], (x) => tf.sum(x, [0, 2], true)),
    meanAxis: one([normal(3, 4, 2)], (x) => tf.mean(x, 1)),
    meanOfIntegers: one([integers(9, 3, 4)], (x) => tf.mean(x), false),
    maxAxis: one([normal(3, 4)], (x) => tf.max(x, 1)),
    argMax: one([normal(3, 4)], (x) => tf.argMax(x, 1), false),
    argMin: one([normal(3, 4)], (x) => tf.argMin(x, 0), false),
    all: one([booleans(3, 4)], (x) => tf.all(x, 1), false),
    any: one([booleans(3, 4)], (x) => tf.any(x, 1), false),
    norm: one([normal(3, 4)], (x) => tf.norm(x, 2, 1)),
    moments: one([normal(3, 4)], (x) => Object.values(tf.moments(x, 0))),
    cumsum: one([normal(3, 4)], (x) => tf.cumsum(x, 1, true, true)),
    cumprod: one([normal(3, 4)], (x) => tf.cumprod(x, 1), false),
    topk: one([normal(3, 6)], (x) => Object.values(tf.topk(x, 2)), false),
    bincount: one([integers(5, 9)], (x) => tf.bincount(x.as1D(), tf.ones([9]).as1D(), 5), false),
    softmax: one([normal(3, 4)], (x) => tf.softmax(x)),
    logSoftmax: one([normal(3, 4)], (x) => tf.logSoftmax(x)),
    softmaxCrossEntropy: one([normal(3, 4)], (x) => tf.losses.softmaxCrossEntropy(tf.oneHot([0, 1, 3], 4), x)),
    huber: one([normal(3, 4)], (x) => tf.losses.huberLoss(tf.zeros([3, 4]), x)),
    sigmoidCrossEntropy: one([normal(3, 4)], (x) => tf.losses.sigmoidCrossEntropy(tf.ones([3, 4]), x)),
  },
  "shapes, slices and joins": {
    reshape: one([normal(3, 4)], (x) => x.reshape([2, 6])),
    transpose: one([normal(3, 4, 2)], (x) => tf.transpose(x, [2, 0, 1])),
    expandDims: one([normal(3, 4)], (x) => tf.expandDims(x, 1)),
    squeeze: one([normal(3, 1, 4)], (x) => tf.squeeze(x)),
    concat: one([normal(3, 4), normal(3, 2)], (a, b) => tf.concat([a, b], 1)),
    stack: one([normal(3, 4), normal(3, 4)], (a, b) => tf.stack([a, b], 1)),
    unstack: one([normal(3, 4)], (x) => tf.unstack(x, 1)),
    split: one([normal(3, 4)], (x) => tf.split(x, [1, 3], 1)),
    slice: one([normal(3, 4)], (x) => x.slice([1, 1], [2, 2])),
    stridedSlice: one([normal(6, 4)], (x) => tf.stridedSlice(x, [0, 1], [6, 4], [2, 2]), false),
    tile: one([normal(3, 4)], (x) => tf.tile(x, [2, 1])),
    broadcastTo: one([normal(1, 4)], (x) => tf.broadcastTo(x, [3, 4])),
    pad: one([normal(3, 4)], (x) =>
      tf.pad(
        x,
        [
          [1, 0],
          [0, 2],
        ],
        0.5,
      ),
    ),
    mirrorPad: one(
      [normal(3, 4)],
      (x) =>
        tf.mirrorPad(
          x,
          [
            [1, 1],
            [1, 1],
          ],
          "reflect",
        ),
      false,
    ),
    reverse: one([normal(3, 4)], (x) => tf.reverse(x, 1)),
    gather: one([normal(5, 4), integers(5, 3)], (x, at) => tf.gather(x, at.as1D()), false),
    gatherGradient: one([normal(5, 4)], (x) => tf.gather(x, tf.tensor1d([0, 3, 3], "int32"))),
    gatherNd: one(
      [normal(5, 4)],
      (x) =>
        tf.gatherND(
          x,
          tf.tensor2d(
            [
              [0, 1],
              [4, 2],
            ],
            [2, 2],
            "int32",
          ),
        ),
      false,
    ),
    scatterNd: one([normal(2)], (x) => tf.scatterND(tf.tensor2d([[1], [3]], [2, 1], "int32"), x, [5]), false),
    oneHot: one([integers(4, 5)], (x) => tf.oneHot(x.as1D(), 4), false),
    unsortedSegmentSum: one([normal(4, 2)], (x) => tf.unsortedSegmentSum(x, tf.tensor1d([0, 2, 0, 1], "int32"), 3)),
    range: one([normal(4)], (x) => x.add(tf.range(0, 4))),
    linspace: one([normal(4)], (x) => x.add(tf.linspace(0, 1, 4))),
    eye: one([normal(4, 4)], (x) => x.mul(tf.eye(4))),
    diag: one([normal(4)], (x) => tf.diag(x), false),
    spaceToBatch: one([normal(1, 4, 4, 1)], (x) =>
      tf.spaceToBatchND(
        x,
        [2, 2],
        [
          [0, 0],
          [0, 0],
        ],
      ),
    ),
    batchToSpace: one([normal(4, 2, 2, 1)], (x) =>
      tf.batchToSpaceND(
        x,
        [2, 2],
        [
          [0, 0],
          [0, 0],
        ],
      ),
    ),
    depthToSpace: one([normal(1, 2, 2, 4)], (x) => tf.depthToSpace(as4(x), 2, "NHWC"), false),
  },
  "convolution and pooling": {
    conv1d: one([normal(2, 7, 3), normal(3, 3, 4)], (x, w) => tf.conv1d(as3(x), as3(w), 1, "same")),
    conv2d: one([image, normal(3, 3, 3, 4)], (x, w) => tf.conv2d(as4(x), as4(w), 1, "same")),
    conv2dStrided: one([image, normal(3, 3, 3, 4)], (x, w) => tf.conv2d(as4(x), as4(w), 2, "valid")),
    conv2dDilated: one([image, normal(2, 2, 3, 4)], (x, w) => tf.conv2d(as4(x), as4(w), 1, "same", "NHWC", 2), false),
    conv2dTranspose: one([image, normal(3, 3, 4, 3)], (x, w) =>
      tf.conv2dTranspose(as4(x), as4(w), [2, 6, 6, 4], 1, "same"),
    ),
    depthwiseConv2d: one([image, normal(3, 3, 3, 2)], (x, w) => tf.depthwiseConv2d(as4(x), as4(w), 1, "same")),
    separableConv2d: one([image, normal(3, 3, 3, 1), normal(1, 1, 3, 4)], (x, d, p) =>
      tf.separableConv2d(as4(x), as4(d), as4(p), 1, "same"),
    ),
    conv3d: one([normal(1, 4, 4, 4, 2), normal(2, 2, 2, 2, 3)], (x, w) =>
      tf.conv3d(x.as5D(1, 4, 4, 4, 2), w.as5D(2, 2, 2, 2, 3), 1, "same"),
    ),
    maxPool: one([image], (x) => tf.maxPool(as4(x), 2, 2, "valid")),
    avgPool: one([image], (x) => tf.avgPool(as4(x), 3, 2, "same")),
    maxPool3d: one([normal(1, 4, 4, 4, 2)], (x) => tf.maxPool3d(x.as5D(1, 4, 4, 4, 2), 2, 2, "same")),
    avgPool3d: one([normal(1, 4, 4, 4, 2)], (x) => tf.avgPool3d(x.as5D(1, 4, 4, 4, 2), 2, 2, "same")),
    batchNorm: one([image, normal(3), positive(3), normal(3), positive(3)], (x, mean, variance, offset, scale) =>
      tf.batchNorm(x, mean.as1D(), variance.as1D(), offset.as1D(), scale.as1D()),
    ),
    localResponseNormalization: one([image], (x) => tf.localResponseNormalization(as4(x))),
    dilation2d: one([image, normal(2, 2, 3)], (x, w) => tf.dilation2d(as4(x), as3(w), 1, "same")),
    resizeBilinear: one([image], (x) => tf.image.resizeBilinear(as4(x), [9, 4])),
    resizeNearest: one([image], (x) => tf.image.resizeNearestNeighbor(as4(x), [12, 3])),
    flipLeftRight: one([image], (x) => tf.image.flipLeftRight(as4(x)), false),
    cropAndResize: one(
      [image],
      (x) => tf.image.cropAndResize(as4(x), tf.tensor2d([[0, 0, 0.5, 0.7]]), [1], [3, 3]),
      false,
    ),
    basicLstmCell: one([normal(2, 3)], (x) =>
      tf.basicLSTMCell(
        tf.scalar(1),
        tf.ones([5, 8]).as2D(5, 8),
        tf.ones([8]).as1D(),
        as2(x),
        tf.zeros([2, 2]).as2D(2, 2),
        tf.zeros([2, 2]).as2D(2, 2),
      ),
    ),
  },
  "complex numbers": {
    fft: one(
      [normal(8)],
      (x) => {
        const f = tf.fft(tf.complex(x, x.mul(2)));
        return [tf.real(f), tf.imag(f), tf.abs(f)];
      },
      false,
    ),
    rfft: one(
      [normal(2, 8)],
      (x) => {
        const f = tf.rfft(x);
        return [tf.real(f), tf.imag(f)];
      },
      false,
    ),
  },
};
