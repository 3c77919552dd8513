/** One figure against its aim; `ok` says whether it is reached, `null` where there is none. */
export interface Check {
  name: string;
  value: number;
  target: number | null;
  ok: boolean | null;
}

export interface BenchOptions {
  /** Interleaved repetitions of every case. */
  rounds: number;
  /** Runs only the cases whose name contains this text. */
  only?: string | undefined;
  /** Fewer samples and epochs: to see that a benchmark works, not for figures to keep. */
  quick?: boolean;
  /** Epochs of every training from the first weights, in place of each case's own. */
  epochs?: number | undefined;
  /** Takes the figures so far, so that a run that is cut off has not been for nothing. */
  record?: (checks: Check[]) => Promise<void>;
  say: (line: string) => void;
}

/** A benchmark: measures side by side in one run and returns its figures. */
export type Bench = (options: BenchOptions) => Promise<Check[]>;

/** A figure that should reach `target`. */
export function atLeast(name: string, value: number, target: number): Check {
  return { name, value: round(value), target, ok: value >= target };
}

/** A figure that should not exceed `target`. */
export function atMost(name: string, value: number, target: number): Check {
  return { name, value: round(value), target, ok: value <= target };
}

/** A figure that is only told. */
export function told(name: string, value: number): Check {
  return { name, value: round(value), target: null, ok: null };
}

/** Keeps counts as they are, and else four significant digits: more would claim a precision that a shared machine does not have. */
function round(value: number): number {
  return Number.isInteger(value) ? value : Number(value.toPrecision(4));
}
