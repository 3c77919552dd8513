/** How two classifiers answered the same samples. */
export interface McNemar {
  /** Samples that only the first, and only the second, got right. */
  onlyFirst: number;
  onlySecond: number;
  /** Two-sided. How likely so uneven a split is when both are equally good. */
  pValue: number;
}

/**
 * McNemar's test (Psychometrika 1947) in its exact form: where the two differ, each is right as often as the other if they are equally
 * good, so the smaller count of n follows Binomial(n, 1/2): p = min(1, 2 sum_{i <= smaller} C(n, i) / 2^n).
 */
export function mcNemar(labels: Int32Array, first: Int32Array, second: Int32Array): McNemar {
  let [onlyFirst, onlySecond] = [0, 0];
  for (const [i, label] of labels.entries()) {
    const [firstRight, secondRight] = [first[i] === label, second[i] === label];
    if (firstRight && !secondRight) onlyFirst++;
    if (secondRight && !firstRight) onlySecond++;
  }
  return { onlyFirst, onlySecond, pValue: exactP(Math.min(onlyFirst, onlySecond), onlyFirst + onlySecond) };
}

/** In logarithms, since 2^n overflows from n = 1024 on. */
function exactP(smaller: number, n: number): number {
  let logTerm = -n * Math.LN2;
  let sum = 0;
  for (let i = 0; i <= smaller; i++) {
    sum += Math.exp(logTerm);
    logTerm += Math.log((n - i) / (i + 1));
  }
  return Math.min(1, 2 * sum);
}
