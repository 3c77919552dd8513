import { compile, tf, type LiveTensors } from "@whittle/engine";
import type { RoundingProblem } from "@whittle/onnx";
import { stopIfAborted } from "../shared/context.ts";

export interface AdaRoundSettings {
  /** Steps of Adam. */
  iterations: number;
  learningRate: number;
  /** Weight of the term that drives every weight to one side. */
  regularization: number;
}

const adaRoundDefaults: AdaRoundSettings = { iterations: 1000, learningRate: 0.02, regularization: 0.01 };

/** h(V) = clip(sigmoid(V) (ZETA - GAMMA) + GAMMA, 0, 1): reaches 0 and 1 at finite V. */
const [ZETA, GAMMA] = [1.1, -0.1];
/** The share of the steps that fit the outputs alone, and the exponent of the regularization from its first step to its last. */
const WARM_UP = 0.2;
const [BETA_FROM, BETA_TO] = [20, 2];
/** Adam's. */
const [DECAY_1, DECAY_2, EPSILON] = [0.9, 0.999, 1e-8];

/** The constants of one group of rows that share their inputs; weights in units of their scale. */
type Group = {
  /** [rows, columns]: weight / scale. */
  scaled: tf.Tensor2D;
  /** The integers below. */
  floor: tf.Tensor2D;
  /** 1 where a weight may be rounded either way: not where it is an integer, so zeros stay zeros. */
  free: tf.Tensor2D;
  /** Second moments of the inputs, their mean diagonal 1. */
  gram: tf.Tensor2D;
  /** The integers that may be used, zero point taken off. */
  low: tf.Tensor2D;
  high: tf.Tensor2D;
};

/**
 * AdaRound (Nagel et al., "Up or down? Adaptive rounding for post-training quantization", 2004.10568): chooses for every weight the
 * integer below or above it so that the layer's outputs, not its weights, stay closest:
 * min over V of ‖(W - Ŵ) x‖² + λ sum(1 - |2 h(V) - 1|^β), Ŵ = s clip(floor(W / s) + h(V)), with β falling from 20 to 2.
 * The first term needs only G = E[x xᵀ], because a row w gives (w - ŵ) G (w - ŵ)ᵀ. A row that rounding to the nearest serves better is
 * rounded so.
 * @returns the integers, [rows, columns]
 */
export async function adaRound(
  problem: RoundingProblem,
  signal: AbortSignal,
  settings: AdaRoundSettings = adaRoundDefaults,
): Promise<Int8Array> {
  const { rows, columns, groups, zeroPoints } = problem;
  const result = new Int8Array(rows * columns);
  const ofGroup = rows / groups;
  for (let group = 0; group < groups; group++) {
    const constants = tf.tidy<Group>(() => constantsOf(problem, group));
    try {
      const rounded = await optimize(constants, signal, settings);
      for (const [at, value] of rounded.entries()) {
        const row = group * ofGroup + Math.floor(at / columns);
        result[group * ofGroup * columns + at] = value + (zeroPoints[row] ?? 0);
      }
    } finally {
      tf.dispose(Object.values(constants));
    }
  }
  return result;
}

function constantsOf(problem: RoundingProblem, group: number): Group {
  const { rows, columns, groups, weights, scales, zeroPoints, gram, qmin, qmax } = problem;
  const ofGroup = rows / groups;
  const [from, to] = [group * ofGroup, (group + 1) * ofGroup];
  const column = (values: Iterable<number>) => tf.tensor2d([...values], [ofGroup, 1]);
  const scaled = tf
    .tensor2d(weights.subarray(from * columns, to * columns), [ofGroup, columns])
    .div<tf.Tensor2D>(column(scales.subarray(from, to)));
  const floor = scaled.floor();
  const moments = tf.tensor2d(gram.subarray(group * columns ** 2, (group + 1) * columns ** 2), [columns, columns]);
  const diagonal = gram.filter(
    (_value, at) => Math.floor(at / columns ** 2) === group && (at % columns ** 2) % (columns + 1) === 0,
  );
  const mean = diagonal.reduce((sum, value) => sum + value, 0) / columns;
  const zeros = [...zeroPoints.subarray(from, to)];
  return {
    scaled,
    floor,
    free: scaled.notEqual(floor).cast("float32"),
    gram: moments.div(mean || 1),
    low: column(zeros.map((zero) => qmin - zero)),
    high: column(zeros.map((zero) => qmax - zero)),
  };
}

function clip(values: tf.Tensor2D, { low, high }: Group): tf.Tensor2D {
  return tf.minimum(tf.maximum(values, low), high);
}

/** (w - ŵ) G (w - ŵ)ᵀ of each row. */
function rowErrors(integers: tf.Tensor2D, { scaled, gram }: Group): tf.Tensor1D {
  const lost = tf.sub<tf.Tensor2D>(integers, scaled);
  return tf.sum<tf.Tensor1D>(tf.matMul(lost, gram).mul(lost), 1);
}

async function optimize(group: Group, signal: AbortSignal, settings: AdaRoundSettings): Promise<Float32Array> {
  let state = tf.tidy<AdamState>(() => startOf(group));
  let at = 1;
  const live = () => scheduleAt(at, settings);
  const step = compile(
    (v: tf.Tensor2D, m: tf.Tensor2D, u: tf.Tensor2D, now: LiveTensors<Schedule>) => {
      const next = adam({ v, m, u }, gradient(group, v, now), now, settings.learningRate);
      return [next.v, next.m, next.u];
    },
    { live },
  );
  try {
    for (; at <= settings.iterations; at++) {
      // Lets an abort and the heartbeat through: the steps themselves never give the thread back.
      if (at % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
      stopIfAborted(signal);
      const [v = state.v, m = state.m, u = state.u] = step(state.v, state.m, state.u);
      tf.dispose(state);
      state = { v, m, u };
    }
    const decided = tf.tidy(() => decide(group, state.v));
    const integers = Float32Array.from(decided.dataSync());
    decided.dispose();
    return integers;
  } finally {
    step.dispose();
    tf.dispose(state);
  }
}

type AdamState = {
  v: tf.Tensor2D;
  m: tf.Tensor2D;
  u: tf.Tensor2D;
};

/** V so that h(V) is what floor(W / s) leaves of W / s: the start is the float weights. */
function startOf({ scaled, floor }: Group): AdamState {
  const shifted = scaled.sub(floor).sub(GAMMA);
  const v = tf.log(tf.div<tf.Tensor2D>(shifted, tf.sub(ZETA - GAMMA, shifted)));
  return { v, m: tf.zerosLike(v), u: tf.zerosLike(v) };
}

/** What changes from step to step. */
type Schedule = {
  beta: number;
  /** 0 during the warm-up. */
  regularization: number;
  /** 1 - decay^step of Adam's two means. */
  first: number;
  second: number;
};

function scheduleAt(step: number, { iterations, regularization }: AdaRoundSettings): Schedule {
  const progress = Math.max(0, (step / iterations - WARM_UP) / (1 - WARM_UP));
  return {
    beta: BETA_TO + (BETA_FROM - BETA_TO) * 0.5 * (1 + Math.cos(Math.PI * progress)),
    regularization: progress > 0 ? regularization : 0,
    first: 1 - DECAY_1 ** step,
    second: 1 - DECAY_2 ** step,
  };
}

function adam({ v, m, u }: AdamState, g: tf.Tensor2D, now: LiveTensors<Schedule>, learningRate: number): AdamState {
  const first = m.mul(DECAY_1).add<tf.Tensor2D>(g.mul(1 - DECAY_1));
  const second = u.mul(DECAY_2).add<tf.Tensor2D>(g.square().mul(1 - DECAY_2));
  const change = first.div(now.first).div(second.div(now.second).sqrt().add(EPSILON)).mul(learningRate);
  return { v: v.sub(change), m: first, u: second };
}

/** Of the loss by V. */
function gradient(group: Group, v: tf.Tensor2D, now: LiveTensors<Schedule>): tf.Tensor2D {
  const { scaled, floor, free, gram, low, high } = group;
  const gate = tf.sigmoid(v);
  const stretched = gate.mul(ZETA - GAMMA).add<tf.Tensor2D>(GAMMA);
  const h = tf.clipByValue<tf.Tensor2D>(stretched, 0, 1);
  const raw = tf.add<tf.Tensor2D>(floor, h);
  const inside = tf.logicalAnd(tf.greater(raw, low), tf.less(raw, high)).cast("float32");
  const lost = tf.sub<tf.Tensor2D>(clip(raw, group), scaled);
  const byInteger = tf.matMul(lost, gram).mul(2).mul(inside);
  const byH = byInteger.add(regularizationGradient(h, now));
  const moving = tf.logicalAnd(stretched.greater(0), stretched.less(1)).cast("float32");
  const slope = gate.mul(tf.sub(ZETA - GAMMA, gate.mul(ZETA - GAMMA)));
  return tf.mul<tf.Tensor2D>(byH.mul(moving).mul(slope), free);
}

/** Of λ (1 - |2h - 1|^β) by h: -2 λ β |2h - 1|^(β - 1) sign(2h - 1). */
function regularizationGradient(h: tf.Tensor2D, { beta, regularization }: LiveTensors<Schedule>): tf.Tensor {
  const side = h.mul(2).sub(1);
  const size = side.abs().pow(beta.sub(1)).mul(side.sign());
  return size.mul(beta).mul(regularization).mul(-2);
}

/** Up where h(V) is at least a half; the nearest integers in rows that those serve better. */
function decide(group: Group, v: tf.Tensor2D): tf.Tensor2D {
  const { scaled, floor, free } = group;
  const up = v.greaterEqual(0).cast("float32").mul<tf.Tensor2D>(free);
  const chosen = clip(floor.add(up), group);
  const nearest = clip(scaled.round(), group);
  const better = rowErrors(chosen, group).less(rowErrors(nearest, group)).expandDims<tf.Tensor2D>(1);
  return tf.where(better.tile([1, scaled.shape[1]]), chosen, nearest);
}
