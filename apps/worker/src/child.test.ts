import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { afterEach, expect, it } from "vitest";
import { childEntry } from "./entries.ts";
import { forkGroup, killGroup } from "./supervisor/fork.ts";

let child: ReturnType<typeof forkGroup>;
afterEach(() => killGroup(child));

it.runIf(process.platform === "linux")(
  "loads what jobs need before there is one, when it is told to, but TensorFlow",
  async () => {
    child = forkGroup(childEntry, process.env);
    const maps = () => readFile(`/proc/${child.pid}/maps`, "utf8");
    child.send({ type: "prepare" });
    expect(await once(child, "message")).toMatchObject([{ type: "ready" }, undefined]);
    expect(await maps()).toMatch(/onnxruntime/);
    expect(await maps()).not.toMatch(/libtensorflow/);
    child.send({ type: "prepare" });
    expect(await once(child, "message")).toMatchObject([{ type: "ready" }, undefined]);
  },
);

it("ends when it is told to while it has no job, so that it can't end one that comes later", async () => {
  child = forkGroup(childEntry, process.env);
  child.send({ type: "prepare" });
  await once(child, "message");
  child.kill("SIGTERM");
  expect(await once(child, "exit")).toEqual([0, null]);
});
