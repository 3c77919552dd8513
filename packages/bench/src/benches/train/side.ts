/**
 * Trains one case with Whittle, a small dense one also by XLA, then with stock tfjs, on the threads that a job of this case has, and
 * sends the rates. Argument: its name.
 */
import { initEngine } from "@whittle/engine";
import { datasets, productsOf } from "@whittle/zoo/catalog";
import { cases } from "./cases.ts";
import { loadSamples } from "./samples.ts";
import { trainStock, trainWhittle } from "./tfjs.ts";

const [, , name] = process.argv;
const trainCase = cases.find((each) => each.name === name);
if (!trainCase) throw new Error(`there is no case ${name}`);
const { inputShape, labels } = datasets[trainCase.data];
const products = productsOf(trainCase, { inputShape, classes: labels.length });
const macs = products && products.reduce((sum, each) => sum + each, 0) / products.length;
await initEngine({ macsPerProduct: macs && macs * trainCase.batchSize });
const samples = (await loadSamples([trainCase])).get(trainCase.data);
if (!samples) throw new Error(`${name} has no samples`);
const rates = {
  whittle: await trainWhittle(trainCase, samples),
  ...(trainCase.model === "mlp" && { "whittle-xla": await trainWhittle(trainCase, samples, "graph-xla") }),
  stock: await trainStock(trainCase, samples),
};
process.send?.(rates, undefined, {}, () => process.exit(0));
