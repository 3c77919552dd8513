/**
 * How often each class was taken for each.
 * @returns row = true class, column = predicted class.
 */
export function confusionMatrix(labels: Int32Array, predictions: Int32Array, classes: number): number[][] {
  const matrix = Array.from({ length: classes }, () => Array.from({ length: classes }, () => 0));
  for (const [i, label] of labels.entries()) {
    const row = matrix[label];
    const predicted = predictions[i] ?? -1;
    if (row?.[predicted] !== undefined) row[predicted]++;
  }
  return matrix;
}

/** The share of each class' samples that was recognised; undefined for a class without samples. */
export function classAccuracies(matrix: number[][]): (number | undefined)[] {
  return matrix.map((row, label) => {
    const count = row.reduce((a, b) => a + b, 0);
    return count === 0 ? undefined : (row[label] ?? 0) / count;
  });
}
