import type { Augment } from "@whittle/contracts";
import { tf } from "../tf.ts";
import { normal, stream, uniform } from "./stateless.ts";

/** The streams of random numbers, see {@link stream}. */
const streams = { mirrorRows: -1, mirrorColumns: -2, down: -3, right: -4, noise: -5, cutRow: -6, cutColumn: -7 };

/** How each of a batch's images is moved along one axis: first mirrored where 1, then shifted by whole pixels; int32 [batch]. */
export interface Move {
  mirror?: tf.Tensor1D;
  shift?: tf.Tensor1D;
}

/**
 * Changes every image of a batch in a way of its own that follows from the seed: mirrored, shifted, with noise, with a square cut out,
 * in this order.
 * @param x images [batch, height, width, channels] as the model takes them.
 * @param seed int32 [2].
 */
export function augmentImages(x: tf.Tensor4D, settings: Augment, seed: tf.Tensor1D): tf.Tensor4D {
  const { shift, noise, cutout: side, flip } = settings;
  const [batch, height, width] = x.shape;
  /** Whole numbers from 0 to `below` - 1, one for each image. */
  const whole = (below: number, index: number): tf.Tensor1D =>
    tf.cast(tf.floor(tf.mul(uniform([batch], stream(seed, index)), below)), "int32");
  const move = (mirrored: boolean, mirror: number, shifted: number): Move => ({
    ...(mirrored && { mirror: whole(2, mirror) }),
    ...(shift !== undefined && { shift: tf.sub(whole(2 * shift + 1, shifted), tf.scalar(shift, "int32")) }),
  });
  const rows = move(flip === "vertical" || flip === "both", streams.mirrorRows, streams.down);
  const columns = move(flip === "horizontal" || flip === "both", streams.mirrorColumns, streams.right);
  const moved = flip || shift !== undefined ? moveImages(x, rows, columns) : x;
  const noisy =
    noise === undefined ? moved : tf.add(moved, tf.mul(normal(x.shape, stream(seed, streams.noise)), noise));
  if (side === undefined) return tf.reshape(noisy, x.shape);
  const centres = { row: whole(height, streams.cutRow), column: whole(width, streams.cutColumn) };
  return cutSquares(tf.reshape(noisy, x.shape), side, centres);
}

/** Takes each pixel from where it was before the moves; 0 where that lies outside the image. */
export function moveImages(x: tf.Tensor4D, rows: Move, columns: Move): tf.Tensor4D {
  const [batch, height, width, channels] = x.shape;
  const [fromRow, fromColumn] = [origins(height, rows), origins(width, columns)];
  const places = tf.add(
    tf.mul(tf.expandDims(inside(fromRow, height), 2), tf.scalar(width, "int32")),
    tf.expandDims(inside(fromColumn, width), 1),
  );
  // One gather over the pixels of all images: of one within each, the WebAssembly backend reads outside its memory.
  const flat = tf.reshape(x, [batch * height * width, channels]);
  const starts = tf.mul(tf.range(0, batch, 1, "int32"), tf.scalar(height * width, "int32"));
  const pixels = tf.add(spread(places, batch, height, width), tf.expandDims(starts, 1));
  const taken: tf.Tensor = tf.gather(flat, tf.reshape(pixels, [batch * height * width]));
  const image: tf.Tensor4D = tf.reshape(taken, x.shape);
  if (!rows.shift && !columns.shift) return image;
  const visible = tf.logicalAnd(
    tf.expandDims(isInside(fromRow, height), 2),
    tf.expandDims(isInside(fromColumn, width), 1),
  );
  return tf.mul(image, tf.cast(tf.expandDims(visible, 3), "float32"));
}

/** Sets a square to 0 in each image, all of it that lies inside (DeVries and Taylor, 1708.04552). */
export function cutSquares(
  x: tf.Tensor4D,
  side: number,
  centres: { row: tf.Tensor1D; column: tf.Tensor1D },
): tf.Tensor4D {
  const [, height, width] = x.shape;
  const covers = (length: number, centre: tf.Tensor1D) => {
    const first = tf.sub(centre, tf.scalar(Math.floor(side / 2), "int32"));
    const place = tf.sub(tf.range(0, length, 1, "int32"), tf.expandDims(first, 1));
    return isInside(place, side);
  };
  const square = tf.logicalAnd(
    tf.expandDims(covers(height, centres.row), 2),
    tf.expandDims(covers(width, centres.column), 1),
  );
  return tf.mul(x, tf.cast(tf.expandDims(tf.logicalNot(square), 3), "float32"));
}

/** Where along an axis each place's value was before the move: int32 [batch or 1, length], outside the axis where it came in. */
function origins(length: number, { mirror, shift }: Move): tf.Tensor {
  const places = tf.expandDims(tf.range(0, length, 1, "int32"), 0);
  const unshifted = shift ? tf.sub(places, tf.expandDims(shift, 1)) : places;
  if (!mirror) return unshifted;
  const across = tf.sub(tf.scalar(length - 1, "int32"), tf.mul(unshifted, tf.scalar(2, "int32")));
  return tf.add(unshifted, tf.mul(tf.expandDims(mirror, 1), across));
}

function isInside(places: tf.Tensor, length: number): tf.Tensor {
  return tf.logicalAnd(tf.greaterEqual(places, tf.scalar(0, "int32")), tf.less(places, tf.scalar(length, "int32")));
}

/** The nearest places that are inside. */
function inside(places: tf.Tensor, length: number): tf.Tensor {
  return tf.maximum(tf.minimum(places, tf.scalar(length - 1, "int32")), tf.scalar(0, "int32"));
}

/** Places [batch or 1, height, width] as [batch, height * width]. */
function spread(places: tf.Tensor, batch: number, height: number, width: number): tf.Tensor2D {
  return tf.reshape(tf.broadcastTo(places, [batch, height, width]), [batch, height * width]);
}
