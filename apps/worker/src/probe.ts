/**
 * Tells the worker which tensor backend and data sets this machine has, and ends; so the worker itself never loads TensorFlow.
 * Its arguments are folders that hold data sets.
 */
import { initEngine } from "@whittle/engine";
import { findDataset } from "@whittle/zoo";
import { datasets } from "@whittle/zoo/catalog";

const warnings: string[] = [];
const backend = await initEngine({ warn: (message) => warnings.push(message) });
const dirs = process.argv.slice(2);
const found: string[] = [];
for (const name of Object.keys(datasets)) if ((await findDataset(name, { dirs })) !== undefined) found.push(name);
process.send?.({ backend, datasets: found, warnings }, undefined, {}, () => process.exit(0));
