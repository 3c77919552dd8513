const shades = { for: ["░", "▒", "▓", "█"], against: ["-", "=", "≡", "#"] };
const nothing = "·";

/** What the characters of {@link heatMap} mean. */
export const legend = "█▓▒░ for it, #≡=- against it, strongest first; · less than an eighth of the strongest";

/**
 * Values as characters, one line for each row of the grid: a quarter of the largest magnitude for each shade.
 * @param values row-major.
 * @param width characters of a cell.
 */
export function heatMap(values: readonly number[], columns: number, width: number): string[] {
  const strongest = Math.max(...values.map(Math.abs));
  const cells = values.map((value) => shade(value, strongest).repeat(width));
  return Array.from({ length: values.length / columns }, (_, row) =>
    cells.slice(row * columns, (row + 1) * columns).join(""),
  );
}

function shade(value: number, strongest: number): string {
  const share = Math.abs(value) / strongest;
  // Of nothing but zeros it is NaN.
  if (!(share >= 1 / 8)) return nothing;
  return shades[value > 0 ? "for" : "against"][Math.ceil(share * 4) - 1] ?? nothing;
}
