import { mkdtemp, rm, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AppError } from "@whittle/contracts";
import { openStore } from "@whittle/store";
import { exampleDraft } from "@whittle/store/testing";
import { afterAll, beforeAll, expect, it } from "vitest";
import { runWhittle, type Ended } from "../testing/whittle.ts";

let folder: string;
let digest: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "whittle-cli-store-"));
  const store = await openStore(folder);
  const weights = {
    path: "model.onnx",
    role: "onnx" as const,
    mediaType: "application/onnx",
    bytes: new Uint8Array(1e6),
  };
  const draft = exampleDraft("a");
  const to = { name: "m", alias: "prod", jobId: "1", actor: "me" };
  ({ digest } = await store.publish({ ...draft, files: [...draft.files, weights] }, to));
  const guard = () => Promise.reject(new AppError("conflict", "overtaken"));
  await store.publish(exampleDraft("late"), { ...to, jobId: "2", guard }).catch(() => {});
});
afterAll(() => rm(folder, { recursive: true }));

function whittle(...args: string[]): Promise<Ended> {
  return runWhittle(["store", ...args], { WHITTLE_STORE: `file://${folder}` });
}

it("counts, collects only when told, and ends with 1 when something is damaged", { timeout: 120_000 }, async () => {
  expect((await whittle("usage")).out).toMatch(/1 artifacts, 0 data sets +4 +1\.00 MB +\d+ B\nunused +3 /);

  const dry = await whittle("gc", "--grace", "0");
  expect(dry.out).toMatch(/blobs +3 [^]*nothing was removed/);
  expect((await whittle("gc", "--grace", "0", "--delete")).out).toMatch(/blobs +3 [^]*removed/);
  expect(await whittle("verify")).toMatchObject({
    code: 0,
    out: "read 4 blobs, 1 versions, 1 aliases, 0 data sets, 0 remembered steps\nall sound\n",
  });

  await truncate(join(folder, "blobs", "sha256", digest.slice("sha256:".length)), 10);
  const damaged = await whittle("verify");
  expect(damaged.out).toMatch(/models\/m\/versions\/1.json: it leads to sha256:\w+, which is no sound manifest/);
  expect(damaged).toMatchObject({
    code: 1,
    err: "error: 2 damaged: see above; the same job, or the same data set, submitted again makes its content anew\n",
  });

  expect(await whittle("gc", "--grace", "soon")).toMatchObject({ code: 2, err: expect.stringContaining("hours") });
});
