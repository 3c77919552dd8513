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
  say: (line: string) => void;
}

/** A benchmark: measures side by side in one run and returns its figures. */
export type Bench = (options: BenchOptions) => Promise<Check[]>;

/** A figure that should reach `target`. */
export function atLeast(name: string, value: number, target: number): Check {
  return { name, value: round(value), target, ok: value >= target };
}

/** A figure that is only told. */
export function told(name: string, value: number): Check {
  return { name, value: round(value), target: null, ok: null };
}

/** Keeps four significant digits: more would claim a precision that a shared machine does not have. */
function round(value: number): number {
  return Number(value.toPrecision(4));
}
