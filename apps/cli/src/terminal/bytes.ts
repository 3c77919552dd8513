const units = ["kB", "MB", "GB", "TB"];

/** A size for people: `1.5 MB` (powers of 1000). */
export function bytes(count: number): string {
  if (count < 1000) return `${count} B`;
  let value = count / 1000;
  let unit = 0;
  for (; value >= 999.5 && unit < units.length - 1; unit++) value /= 1000;
  return `${value.toPrecision(3).replace(/\.?0+$/, "")} ${units[unit]}`;
}
