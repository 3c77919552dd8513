import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const run = promisify(execFile);

/** Starts the engine in a process of its own; a process has one backend for life. */
async function start(code: string, env: Record<string, string> = {}): Promise<string> {
  const source = `const { initEngine, tf } = await import("./init.ts").then(async (m) => ({ ...m, ...(await import("../tf.ts")) })); ${code}`;
  const args = ["--import", "tsx", "--input-type=module", "-e", source];
  const { stdout } = await run(process.execPath, args, { cwd: import.meta.dirname, env: { ...process.env, ...env } });
  return stdout.trim();
}

describe("initEngine", { timeout: 180_000 }, () => {
  it("loads native TensorFlow and reports it", { tags: ["tensorflow"] }, async () => {
    const info: unknown = JSON.parse(await start("console.log(JSON.stringify(await initEngine()))"));
    expect(info).toMatchObject({ backend: "tensorflow", version: expect.stringMatching(/^2\./) });
  });

  it.each([
    ["beside each other where nothing is known of the products", "", {}, "1 2"],
    ["beside each other where products are neither small nor large", "{ macsPerProduct: 10e6 }", {}, "1 2"],
    ["on the calling thread where products are small", "{ macsPerProduct: 7e6 }", {}, "1 -1"],
    ["inside a large product", "{ macsPerProduct: 20e6 }", {}, "2 2"],
    ["as the user says", "{ macsPerProduct: 20e6 }", { TF_NUM_INTRAOP_THREADS: "1" }, "1 2"],
  ])("has TensorFlow's threads on two cores compute %s", async (_what, options, env, threads) => {
    const told = `console.log(process.env.TF_NUM_INTRAOP_THREADS, process.env.TF_NUM_INTEROP_THREADS)`;
    expect(await start(`await initEngine(${options}); ${told}`, { WHITTLE_THREADS: "2", ...env })).toBe(threads);
  });

  it("computes on WebAssembly when told to", async () => {
    const out = await start(
      "console.log((await initEngine()).backend, tf.getBackend(), tf.sum([1, 2]).dataSync()[0])",
      {
        WHITTLE_BACKEND: "wasm",
      },
    );
    expect(out).toBe("wasm wasm 3");
  });

  it("falls back with a warning that says what to do when the native library can't be loaded", async () => {
    const block = `
      const { default: Module } = await import("node:module");
      const load = Module._load;
      Module._load = (name, ...rest) => {
        if (name === "@tensorflow/tfjs-node-gpu") throw new Error("libtensorflow.so.2: cannot open shared object file");
        return load(name, ...rest);
      };
      let warning;
      const info = await initEngine({ warn: (text) => (warning = text) });
      console.log(JSON.stringify({ backend: info.backend, warning }));`;
    const result: unknown = JSON.parse(await start(block));
    expect(result).toMatchObject({
      backend: "wasm",
      warning: expect.stringMatching(/cannot open shared object file[^]*npm run setup/),
    });
  });
});
