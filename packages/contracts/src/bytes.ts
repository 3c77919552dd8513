const units = ["MB", "GB", "TB"];

/** A size for people, in powers of 1000: `999 B`, `829.4 kB`, `1.50 MB`. */
export function formatBytes(count: number): string {
  if (count < 1000) return `${count} B`;
  if (count < 999_950) return `${(count / 1e3).toFixed(1)} kB`;
  let value = count / 1e6;
  let unit = 0;
  for (; value >= 999.995 && unit < units.length - 1; unit++) value /= 1000;
  return `${value.toFixed(2)} ${units[unit]}`;
}
