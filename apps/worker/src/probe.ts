/** Tells the worker which tensor backend and data sets this machine has, and ends; so the worker itself never loads TensorFlow. */
import { initEngine } from "@whittle/engine";
import { findDataset } from "@whittle/zoo";
import { datasets } from "@whittle/zoo/catalog";

const warnings: string[] = [];
const backend = await initEngine({ warn: (message) => warnings.push(message) });
const found: string[] = [];
for (const name of Object.keys(datasets)) if ((await findDataset(name)) !== undefined) found.push(name);
process.send?.({ backend, datasets: found, warnings }, undefined, {}, () => process.exit(0));
