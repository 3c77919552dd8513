import { existsSync, realpathSync } from "node:fs";
import { mkdir, mkdtemp, readlink, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readSettings, type Settings } from "../settings.ts";
import { buildsFor } from "./builds.ts";
import { installTensorFlow } from "./install.ts";

const { root } = readSettings({});
const bindingIn = (at: string): string =>
  join(at, "node_modules/@tensorflow/tfjs-node-gpu/lib/napi-v8/tfjs_binding.node");
const installed = existsSync(bindingIn(root)) ? join(dirname(realpathSync(bindingIn(root))), "lib") : "";

let dir: string;
let settings: Settings;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "whittle-tensorflow-"));
  const modules = join(dir, "node_modules");
  await mkdir(join(modules, "@tensorflow/tfjs-node-gpu"), { recursive: true });
  for (const part of ["node-api-headers", "@tensorflow/tfjs-node-gpu/binding"])
    await symlink(join(root, "node_modules", part), join(modules, part));
  settings = { ...readSettings({ WHITTLE_CACHE_DIR: join(dir, "cache") }), root: dir, tensorflowBuild: "cpu" };
});

afterEach(async () => {
  await rm(dir, { recursive: true });
});

describe.skipIf(!existsSync(installed))("set-up of TensorFlow", () => {
  it(
    "builds the binding for the libraries in TENSORFLOW_LIB_DIR, links it, and takes it again",
    { timeout: 240_000 },
    async () => {
      const given = { ...settings, tensorflowLibDir: installed };
      const said: string[] = [];
      const first = await installTensorFlow(given, (what) => said.push(what));
      expect(first).toMatchObject({ version: expect.stringMatching(/^2\.\d+\.\d+/), failures: [] });
      expect(await readlink(bindingIn(dir))).toBe(join(first.folder, "tfjs_binding.node"));
      expect(said).toHaveLength(1);
      expect(await installTensorFlow(given, (what) => said.push(what))).toEqual(first);
      expect(said).toHaveLength(1);
    },
  );

  it("leaves a binding alone that the user has put there and that works", async () => {
    await mkdir(dirname(bindingIn(dir)), { recursive: true });
    await symlink(realpathSync(bindingIn(root)), bindingIn(dir));
    const { folder, failures } = await installTensorFlow(settings, () => {});
    expect({ folder, failures }).toEqual({ folder: dirname(realpathSync(bindingIn(root))), failures: [] });
  });
});

describe("the builds that are tried", () => {
  const names = async (given: Partial<Settings>): Promise<string[]> =>
    (await buildsFor({ ...settings, ...given })).map(({ name }) => name.replaceAll(/\d+\.\d+\.\d+/g, "x"));

  it("are the user's, then CUDA's where it is wanted, then the CPU's", async () => {
    expect(await names({ tensorflowBuild: "cpu" })).toEqual(["TensorFlow x", "libtensorflow x"]);
    expect(await names({ tensorflowBuild: "cuda", tensorflowLibDir: "/given" })).toEqual([
      "TENSORFLOW_LIB_DIR (/given)",
      "TensorFlow x for CUDA",
      "TensorFlow x",
      "libtensorflow x",
    ]);
  });

  it("say what is wrong with a folder that holds no TensorFlow", async () => {
    const [given] = await buildsFor({ ...settings, tensorflowLibDir: dir });
    await expect(given?.ways[0]?.fill(join(dir, "into"))).rejects.toThrow(`${dir} has none of libtensorflow_cc.so.2`);
  });
});
