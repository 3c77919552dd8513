import { AppError } from "@whittle/contracts";

/** What of an input is taken out and put back together. */
export interface Parts {
  /** Of an image or rows of numbers, of a sequence of token ids, of a flat row of numbers. */
  kind: "patches" | "tokens" | "columns";
  /** How many there are along each axis: [rows, columns], or one number. */
  grid: number[];
  /** How many places of an axis belong to one; fewer at the end. */
  size: number;
  count: number;
  /** The part that each value of the input belongs to. */
  of: Int32Array;
}

/** By default at most so many along an axis: 8 x 8 patches, or 64 parts of a sequence. */
const MOST = { grid: 8, row: 64 };

/**
 * Cuts an input into parts of `size` places: [n] into runs, [steps, features] and [height, width, channels] into squares with all their
 * channels.
 * @param shape of one sample.
 * @throws AppError `unsupported` for other shapes.
 */
export function cutIntoParts(shape: readonly number[], isText: boolean, size?: number): Parts {
  const [height = 0, width = 1, channels = 1] = shape;
  if (shape.length === 0 || shape.length > 3 || shape.includes(0))
    throw new AppError("unsupported", `an input of shape [${shape.join(", ")}] has no parts that could be explained`);
  const isRow = shape.length === 1;
  const side = size ?? Math.ceil(isRow ? height / MOST.row : Math.max(height, width) / MOST.grid);
  const rows = Math.ceil(height / side);
  const columns = Math.ceil(width / side);
  const of = new Int32Array(height * width * channels);
  for (let place = 0; place < of.length; place++) {
    const pixel = Math.floor(place / channels);
    of[place] = Math.floor(pixel / width / side) * columns + Math.floor((pixel % width) / side);
  }
  return {
    kind: isText ? "tokens" : isRow ? "columns" : "patches",
    grid: isRow ? [rows] : [rows, columns],
    size: side,
    count: rows * columns,
    of,
  };
}
