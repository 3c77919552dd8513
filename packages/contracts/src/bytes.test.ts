import { expect, it } from "vitest";
import { formatBytes } from "./bytes.ts";

it.each([
  [0, "0 B"],
  [999, "999 B"],
  [1000, "1.0 kB"],
  [829_449, "829.4 kB"],
  [999_949, "999.9 kB"],
  [999_950, "1.00 MB"],
  [1_048_576, "1.05 MB"],
  [999_994_000, "999.99 MB"],
  [999_996_000, "1.00 GB"],
  [2.5e12, "2.50 TB"],
  [2e15, "2000.00 TB"],
])("%i bytes read %s", (count, text) => {
  expect(formatBytes(count)).toBe(text);
});
