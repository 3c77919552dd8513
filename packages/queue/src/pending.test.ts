import { describe, expect, it } from "vitest";
import { keepUntilSettled } from "./pending.ts";

describe("pending work", () => {
  it("is kept until it has settled, and no longer", async () => {
    const pending = new Set<Promise<void>>();
    let finish = (): void => {};
    keepUntilSettled(pending, new Promise((resolve) => (finish = resolve)));
    for (let at = 0; at < 100; at++) keepUntilSettled(pending, Promise.resolve());
    expect(pending.size).toBe(101);
    await new Promise((resolve) => setImmediate(resolve));
    expect(pending.size).toBe(1);
    finish();
    await Promise.all(pending);
    expect(pending.size).toBe(0);
  });
});
