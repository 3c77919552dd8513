import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { digestOf, getBlob, putBlob } from "../blobs.ts";
import type { StoreDriver } from "../driver.ts";
import { keys } from "../keys.ts";
import { ArtifactStore } from "../store.ts";
import { exampleDraft } from "./example-draft.ts";
import type { MakeDriver } from "./test-store.ts";

/** Pseudo-random weights (a linear congruential generator), of which one in ten is kept. */
function sparseWeights(count: number): Uint8Array {
  let seed = 1;
  const random = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
  return new Uint8Array(Float32Array.from({ length: count }, () => (random() < 0.1 ? random() : 0)).buffer);
}

export function encodingTests(makeDriver: MakeDriver): void {
  describe("content at rest", () => {
    it("is compressed where it is sparse, and read as it was", async () => {
      const { driver, again } = await makeDriver();
      const bytes = sparseWeights(10_000);
      await putBlob(driver, digestOf(bytes), bytes);
      const stored = (await driver.stat(keys.blob(digestOf(bytes))))?.size ?? Infinity;
      expect(stored).toBeLessThan(bytes.byteLength / 5);
      expect(await getBlob(again(), digestOf(bytes), "it", bytes.byteLength)).toEqual(bytes);
    });

    it("is left as it is where compression would not help", async () => {
      const { driver } = await makeDriver();
      const bytes = sparseWeights(1_000).map((_, index) => (index * index * 31 + (index >> 3)) % 251);
      const noise = Buffer.concat(
        Array.from({ length: 64 }, (_, n) => Buffer.from(digestOf(bytes.with(0, n)).slice(7), "hex")),
      );
      await putBlob(driver, digestOf(noise), noise);
      expect(await driver.read(keys.blob(digestOf(noise)))).toEqual(new Uint8Array(noise));
    });

    it("may look like compressed content and be none", async () => {
      const { driver } = await makeDriver();
      const bytes = Buffer.concat([Buffer.from("\x93WHITLBR", "latin1"), Buffer.from("no brotli")]);
      await putBlob(driver, digestOf(bytes), bytes);
      expect(await getBlob(driver, digestOf(bytes), "it")).toEqual(new Uint8Array(bytes));
    });

    it("is stored from a file as it is from memory, compressed or not, in parts or whole", async () => {
      const folder = await mkdtemp(join(tmpdir(), "whittle-content-"));
      const noise = Uint8Array.from({ length: 40_000 }, (_, at) => Math.imul(at + 1, 2_654_435_761) >>> 13);
      const ambiguous = Buffer.concat([Buffer.from("\x93WHITLBR", "latin1"), Buffer.from("no brotli")]);
      for (const bytes of [sparseWeights(50_000), noise, ambiguous, Uint8Array.of(1, 2, 3)]) {
        const [{ driver, again }, other] = [await makeDriver(), await makeDriver()];
        const [path, digest] = [join(folder, "content"), digestOf(bytes)];
        await writeFile(path, bytes);
        const store = new ArtifactStore(driver);
        // The second replaces the first.
        for (let time = 0; time < 2; time++)
          expect(await store.putContentFile({ path, digest, size: bytes.length })).toEqual({
            digest,
            size: bytes.length,
          });
        expect(await new ArtifactStore(again()).readContent(digest)).toEqual(new Uint8Array(bytes));
        await new ArtifactStore(other.driver).putContent(bytes);
        const stored = async (at: StoreDriver) => (await at.stat(keys.blob(digest)))?.size;
        expect(await stored(driver)).toBe(await stored(other.driver));
        expect(await readdir(folder)).toEqual(["content"]);
      }
      await rm(folder, { recursive: true });
    });

    it("that lies there uncompressed is built on", async () => {
      const { driver } = await makeDriver();
      const bytes = sparseWeights(10_000);
      await driver.create(keys.blob(digestOf(bytes)), bytes);
      await putBlob(driver, digestOf(bytes), bytes);
      expect(await getBlob(driver, digestOf(bytes), "it")).toEqual(bytes);
    });

    it("is reported as damaged when it was cut after compression, until it is written again", async () => {
      const { driver } = await makeDriver();
      const bytes = sparseWeights(10_000);
      const key = keys.blob(digestOf(bytes));
      await putBlob(driver, digestOf(bytes), bytes);
      const stored = (await driver.read(key)) ?? bytes;
      await driver.remove(key);
      await driver.create(key, stored.slice(0, -100));
      await expect(getBlob(driver, digestOf(bytes), "weights.bin")).rejects.toMatchObject({
        code: "corrupt",
        message: expect.stringContaining("weights.bin is damaged"),
      });
      await putBlob(driver, digestOf(bytes), bytes);
      expect(await getBlob(driver, digestOf(bytes), "weights.bin")).toEqual(bytes);
    });

    it("is counted raw and as stored", async () => {
      const { driver } = await makeDriver();
      const store = new ArtifactStore(driver);
      const bytes = sparseWeights(10_000);
      const draft = exampleDraft("a");
      draft.files.push({ path: "model.onnx", role: "onnx", mediaType: "application/onnx", bytes });
      await store.publish(draft, { name: "m", jobId: "1", actor: "me" });
      await store.scratch("job2").write("1", new Uint8Array(68));
      const { artifacts, used, unused, scratch } = await store.usage();
      expect(artifacts).toBe(1);
      expect(used.blobs).toBe(4);
      expect(used.raw).toBeGreaterThan(bytes.byteLength);
      expect(used.stored).toBeLessThan(bytes.byteLength / 4);
      expect(unused).toEqual({ blobs: 0, stored: 0 });
      expect(scratch).toEqual({ stored: 100 });
    });
  });
}
