import { splitmix32 } from "@whittle/engine";
import { defineLoader } from "../../loader.ts";
import type { Split } from "../../dataset.ts";
import { dataset } from "./contract.ts";

const side = 8;

/** The four patterns in the order of the labels: what is bright at a place, for a stripe width and a phase. */
const patterns: ((row: number, column: number, width: number, phase: number) => boolean)[] = [
  (row, _column, width, phase) => stripe(row + phase, width),
  (_row, column, width, phase) => stripe(column + phase, width),
  (row, column, width, phase) => stripe(row + column + phase, width),
  (row, column, width, phase) => stripe(row + phase, width) !== stripe(column + phase, width),
];

export const load = defineLoader({
  isHere: () => true,
  load: () => Promise.resolve({ train: generate(dataset.samples.train, 1), test: generate(dataset.samples.test, 2) }),
});

/** Samples of all patterns in turn, each with a width, phase, contrast and noise of its own. */
function generate(count: number, seed: number): Split {
  const random = splitmix32(seed);
  const below = (limit: number) => Math.floor((random() / 2 ** 32) * limit);
  const x = new Uint8Array(count * side * side);
  const y = Int32Array.from({ length: count }, (_, index) => index % patterns.length);
  for (const [index, label] of y.entries()) {
    const [width, phase, contrast] = [1 + below(2), below(4), 60 + below(100)];
    const isBright = patterns[label];
    for (let at = 0; at < side * side; at++) {
      const bright = isBright?.(Math.floor(at / side), at % side, width, phase);
      x[index * side * side + at] = (bright ? contrast : 0) + below(96);
    }
  }
  return { x, y, count };
}

function stripe(position: number, width: number): boolean {
  return Math.floor(position / width) % 2 === 0;
}
