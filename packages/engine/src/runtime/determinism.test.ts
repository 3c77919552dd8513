import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const run = promisify(execFile);

/** Trains a small CNN with dropout for 12 steps on all threads and prints its weights. */
const program = `
const { initEngine } = await import("./init.ts");
const { tf } = await import("../tf.ts");
const { compile } = await import("../compile/compile.ts");
await initEngine();
const { layers, initializers } = tf;
const kernelInitializer = initializers.glorotUniform({ seed: 1 });
const model = tf.sequential({ layers: [
  layers.conv2d({ filters: 8, kernelSize: 3, inputShape: [28, 28, 1], activation: "relu", kernelInitializer }),
  layers.maxPooling2d({ poolSize: 2 }), layers.flatten(), layers.dropout({ rate: 0.3 }),
  layers.dense({ units: 10, kernelInitializer }) ] });
const [x, y] = [tf.randomNormal([64, 28, 28, 1], 0, 1, "float32", 2), tf.oneHot(tf.range(0, 64, 1, "int32").mod(tf.scalar(10, "int32")), 10)];
const optimizer = tf.train.adam(0.001);
const step = compile((x, y) => optimizer.minimize(() => tf.losses.softmaxCrossEntropy(y, model.apply(x, { training: true })), true), { seed: Number(process.env.SEED) });
for (let at = 0; at < 12; at++) step(x, y).dispose();
const { createHash } = await import("node:crypto");
const hash = createHash("sha256");
for (const weight of model.getWeights()) hash.update(Buffer.from(weight.dataSync().buffer));
console.log(hash.digest("hex"));`;

async function train(seed: string): Promise<string> {
  const args = ["--import", "tsx", "--input-type=module", "-e", program];
  const env = { ...process.env, SEED: seed };
  return (await run(process.execPath, args, { cwd: import.meta.dirname, env })).stdout;
}

it(
  "the same seed gives the same bits in two processes, and another seed gives others",
  { tags: ["tensorflow"], timeout: 180_000 },
  async () => {
    const [first, again, other] = [await train("1"), await train("1"), await train("2")];
    expect(first).toMatch(/^[0-9a-f]{64}\n$/);
    expect(again).toBe(first);
    expect(other).not.toBe(first);
  },
);
