import { setTimeout as delay } from "node:timers/promises";
import { AppError } from "@whittle/contracts";
import { describe, expect, it } from "vitest";
import { MemoryDriver } from "./drivers/memory.ts";
import type { Entry } from "./driver.ts";
import { waitForCollections } from "./lease.ts";
import { ArtifactStore } from "./store.ts";
import { exampleDraft } from "./testing/index.ts";

/** A view on a place that calls `before` ahead of each of its operations, and counts them. */
class WatchedDriver extends MemoryDriver {
  calls = 0;
  readonly #place: MemoryDriver;
  readonly #before: (call: number) => Promise<void>;

  constructor(place: MemoryDriver, before: (call: number) => Promise<void> = async () => {}) {
    super();
    this.#place = place;
    this.#before = before;
  }

  async #do<T>(operation: () => Promise<T>): Promise<T> {
    this.calls += 1;
    await this.#before(this.calls);
    return operation();
  }

  override read = (key: string): Promise<Uint8Array | undefined> => this.#do(() => this.#place.read(key));
  override create = (key: string, bytes: Uint8Array): Promise<boolean> =>
    this.#do(() => this.#place.create(key, bytes));
  override replace = (key: string, bytes: Uint8Array): Promise<void> => this.#do(() => this.#place.replace(key, bytes));
  override stat = (key: string): Promise<{ size: number } | undefined> => this.#do(() => this.#place.stat(key));
  override list = (prefix: string): Promise<string[]> => this.#do(() => this.#place.list(prefix));
  override entries = (prefix: string): Promise<Entry[]> => this.#do(() => this.#place.entries(prefix));
  override remove = (key: string): Promise<void> => this.#do(() => this.#place.remove(key));
}

/** A place with a version, and with content that an overtaken worker has left. */
async function withGarbage(): Promise<MemoryDriver> {
  const place = new MemoryDriver();
  const store = new ArtifactStore(place);
  await store.publish(exampleDraft("kept"), { name: "m", jobId: "1", actor: "me" });
  const guard = () => Promise.reject(new AppError("conflict", "overtaken"));
  await store.publish(exampleDraft("again"), { name: "m", jobId: "2", actor: "me", guard }).catch(() => {});
  return place;
}

const collect = { delete: true, graceMs: 0 };

function publishAgain(store: ArtifactStore) {
  return store.publish(exampleDraft("again"), { name: "m", alias: "prod", jobId: "3", actor: "me" });
}

async function expectSound(place: MemoryDriver, versions: number): Promise<void> {
  expect(await new ArtifactStore(place).audit()).toMatchObject({ versions, issues: [] });
}

/** Calls that an undisturbed run makes. */
async function callsOf(run: (store: ArtifactStore) => Promise<unknown>): Promise<number[]> {
  const driver = new WatchedDriver(await withGarbage());
  await run(new ArtifactStore(driver));
  return Array.from({ length: driver.calls }, (_, index) => index + 1);
}

describe("a publication of content that is garbage", () => {
  it("is whole, whenever a collection runs in between", async () => {
    const calls = await callsOf(publishAgain);
    expect(calls.length).toBeGreaterThan(10);
    for (const at of calls) {
      const place = await withGarbage();
      const driver = new WatchedDriver(place, async (call) => {
        if (call === at) await new ArtifactStore(place).collect(collect);
      });
      await publishAgain(new ArtifactStore(driver));
      await expectSound(place, 2);
    }
  });

  it("is whole, whenever it begins during a collection", async () => {
    const calls = await callsOf((store) => store.collect(collect));
    expect(calls.length).toBeGreaterThan(15);
    for (const at of calls) {
      const place = await withGarbage();
      let publishing: Promise<unknown> = Promise.resolve();
      const driver = new WatchedDriver(place, async (call) => {
        if (call < at) return;
        if (call === at) publishing = publishAgain(new ArtifactStore(place));
        // As far as it comes before the collection goes on: to its end, or to where it waits.
        await Promise.race([publishing, delay(5)]);
      });
      await new ArtifactStore(driver).collect(collect);
      await publishing;
      await expectSound(place, 2);
    }
  });
});

describe("an upload of a data set whose file is garbage", () => {
  const file = new Uint8Array(3000).fill(7);
  const content = {
    inputShape: [2],
    labels: ["a", "b"],
    preprocessing: { scale: 1, offset: 0 },
    samples: { train: 2, test: 2 },
  };
  const upload = (store: ArtifactStore) => store.datasets.add(file, { name: "mine", actor: "me", content });

  async function withFile(): Promise<MemoryDriver> {
    const place = await withGarbage();
    await new ArtifactStore(place).putContent(file);
    return place;
  }

  it("is whole, whenever a collection runs in between", async () => {
    const counting = new WatchedDriver(await withFile());
    await upload(new ArtifactStore(counting));
    expect(counting.calls).toBeGreaterThan(6);
    for (let at = 1; at <= counting.calls; at++) {
      const place = await withFile();
      const collected = new WatchedDriver(place, async (call) => {
        if (call === at) await new ArtifactStore(place).collect(collect);
      });
      await upload(new ArtifactStore(collected));
      expect(await new ArtifactStore(place).audit()).toMatchObject({ datasets: 1, issues: [] });
    }
  });

  it("has one version, wherever it is killed and repeated", async () => {
    const counting = new WatchedDriver(await withFile());
    await upload(new ArtifactStore(counting));
    for (let at = 1; at <= counting.calls; at++) {
      const place = await withFile();
      const killed = new WatchedDriver(place, async (call) => {
        if (call >= at) throw new AppError("unavailable", "killed");
      });
      await upload(new ArtifactStore(killed)).catch(() => {});
      await upload(new ArtifactStore(place));
      expect(await new ArtifactStore(place).audit()).toMatchObject({ datasets: 1, issues: [] });
    }
  });
});

describe("a publication of content that is damaged", () => {
  async function withDamage(): Promise<MemoryDriver> {
    const place = await withGarbage();
    for (const key of await place.list("blobs/")) {
      const bytes = (await place.read(key)) ?? new Uint8Array();
      await place.replace(key, bytes.with(0, (bytes[0] ?? 0) ^ 1));
    }
    await new ArtifactStore(place).publish(exampleDraft("kept"), { name: "m", jobId: "1", actor: "me" });
    return place;
  }

  it("never takes away what another has mended meanwhile, also where it is killed then", async () => {
    const counting = new WatchedDriver(await withDamage());
    await publishAgain(new ArtifactStore(counting));
    for (let at = 1; at <= counting.calls; at++) {
      const place = await withDamage();
      const killed = new WatchedDriver(place, async (call) => {
        if (call === at)
          await new ArtifactStore(place).publish(exampleDraft("again"), { name: "m", jobId: "4", actor: "me" });
        if (call > at) throw new AppError("unavailable", "killed");
      });
      await publishAgain(new ArtifactStore(killed)).catch(() => {});
      const { issues } = await new ArtifactStore(place).audit();
      expect(issues).toEqual([]);
    }
  });
});

describe("a collection", () => {
  it("that is killed at any of its calls has lost nothing, and is completed by repeating it", async () => {
    for (const at of await callsOf((store) => store.collect(collect))) {
      const place = await withGarbage();
      const driver = new WatchedDriver(place, async (call) => {
        if (call >= at) throw new AppError("unavailable", "killed");
      });
      await expect(new ArtifactStore(driver).collect(collect)).rejects.toThrow("killed");
      await expectSound(place, 1);
      await new ArtifactStore(place).collect(collect);
      expect(await place.list("blobs/")).toHaveLength(3);
      // A publication goes on when it has watched the mark of the killed one for long enough.
      await waitForCollections(place, 0);
      expect(await place.list("collections/")).toEqual([]);
      await publishAgain(new ArtifactStore(place));
      await expectSound(place, 2);
    }
  });

  it("lets a publication go on only when its lease is still there", async () => {
    const place = await withGarbage();
    const driver = new WatchedDriver(place, async () => {
      if ((await place.list("blobs/")).length < 9) return;
      for (const key of await place.list("leases/")) await place.remove(key);
    });
    const publishing = new ArtifactStore(driver).publish(exampleDraft("new"), { name: "m", jobId: "9", actor: "me" });
    await expect(publishing).rejects.toMatchObject({ code: "unavailable", message: expect.stringContaining("lapsed") });
    await expectSound(place, 1);
  });
});
