import { describe, expect, it } from "vitest";
import type { MakeDriver } from "./test-store.ts";

const encode = (text: string) => new TextEncoder().encode(text);

export function driverTests(makeDriver: MakeDriver): void {
  describe("driver", () => {
    it("reads back what was created, and its size", async () => {
      const { driver, again } = await makeDriver();
      expect(await driver.create("blobs/a", encode("content"))).toBe(true);
      expect(await again().read("blobs/a")).toEqual(encode("content"));
      expect(await again().stat("blobs/a")).toEqual({ size: 7 });
    });

    it("keeps empty content", async () => {
      const { driver } = await makeDriver();
      await driver.create("blobs/empty", new Uint8Array());
      expect(await driver.read("blobs/empty")).toEqual(new Uint8Array());
      expect(await driver.create("blobs/empty", encode("x"))).toBe(false);
    });

    it("says undefined for what isn't there", async () => {
      const { driver } = await makeDriver();
      expect(await driver.read("blobs/none")).toBeUndefined();
      expect(await driver.stat("blobs/none")).toBeUndefined();
    });

    it("leaves a key alone that exists", async () => {
      const { driver } = await makeDriver();
      await driver.create("a/b", encode("first"));
      expect(await driver.create("a/b", encode("second"))).toBe(false);
      expect(await driver.read("a/b")).toEqual(encode("first"));
    });

    it("lets exactly one of many writers win, whose content is what is read", async () => {
      const { driver, again } = await makeDriver();
      const writers = Array.from({ length: 16 }, (_, index) => encode(`writer ${index} `.repeat(5000)));
      const won = await Promise.all(
        writers.map((bytes, index) => (index % 2 ? driver : again()).create("race", bytes)),
      );
      expect(won.filter(Boolean)).toHaveLength(1);
      expect(await driver.read("race")).toEqual(writers[won.indexOf(true)]);
    });

    it("does not let a caller change what is stored through its own array", async () => {
      const { driver } = await makeDriver();
      const bytes = Buffer.from("kept");
      await driver.create("a", bytes);
      bytes.fill(0);
      (await driver.read("a"))?.fill(0);
      expect(await driver.read("a")).toEqual(encode("kept"));
    });

    it("replaces what is there at once: readers see one or the other, and never nothing", async () => {
      const { driver, again } = await makeDriver();
      const [damaged, right] = [encode("damaged ".repeat(5000)), encode("right ".repeat(9000))];
      await driver.create("a/b", damaged);
      const reading = async () => {
        for (let n = 0; n < 30; n++) {
          const bytes = Buffer.from((await again().read("a/b")) ?? []);
          expect(bytes.equals(damaged) || bytes.equals(right)).toBe(true);
        }
      };
      await Promise.all([reading(), ...[driver, again(), driver].map((one) => one.replace("a/b", right))]);
      expect(await again().read("a/b")).toEqual(right);
      expect(await driver.list("a/")).toEqual(["a/b"]);
    });

    it("lists the keys below a prefix, sorted and at every depth", async () => {
      const { driver } = await makeDriver();
      for (const key of ["m/b/2", "m/b/1", "m/a", "mm/c", "n"]) await driver.create(key, encode(key));
      expect(await driver.list("m/")).toEqual(["m/a", "m/b/1", "m/b/2"]);
      expect(await driver.list("none/")).toEqual([]);
      expect(await driver.list("")).toEqual(expect.arrayContaining(["m/a", "mm/c", "n"]));
    });

    it("lists sizes and ages", async () => {
      const { driver } = await makeDriver();
      for (const key of ["m/b", "m/a"]) await driver.create(key, encode(key.repeat(3)));
      const modified = expect.toSatisfy((time: number) => Math.abs(Date.now() - time) < 600_000);
      expect(await driver.entries("m/")).toEqual([
        { key: "m/a", size: 9, modified },
        { key: "m/b", size: 9, modified },
      ]);
      expect(await driver.entries("none/")).toEqual([]);
    });

    it("removes a key, and forgives one that isn't there", async () => {
      const { driver } = await makeDriver();
      await driver.create("a", encode("x"));
      await driver.remove("a");
      await driver.remove("a");
      expect(await driver.read("a")).toBeUndefined();
      expect(await driver.create("a", encode("y"))).toBe(true);
    });

    it.each(["../out", "a/../../out", "/etc/passwd", "", "a//b", "a/./b", ".hidden", "a\\..\\b", "a\0b"])(
      "refuses the key %j",
      async (key) => {
        const { driver } = await makeDriver();
        await expect(driver.create(key, encode("x"))).rejects.toMatchObject({ code: "invalid_request" });
        await expect(driver.read(key)).rejects.toMatchObject({ code: "invalid_request" });
      },
    );
  });
}
